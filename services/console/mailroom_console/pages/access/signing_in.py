"""Signing in and out, and the link of a first start or an invitation."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from mailroom_console.access import reading_choice, signin
from mailroom_console.languages import say
from mailroom_console.pages.frame.visit import Page, Visit, local
from mailroom_console.principals import READ
from mailroom_console.problems import Problem


def pages() -> list[Page]:
    """The routes. These are the only ones that are open to everybody."""
    return [
        Page("GET", "/sign-in", form, None),
        Page("POST", "/sign-in", enter, None),
        Page("POST", "/sign-out", leave, READ),
        Page("GET", "/first-start", welcome, None),
        Page("POST", "/first-start", begin, None),
    ]


async def form(visit: Visit) -> Response:
    """The sign-in form."""
    after = local(visit.query("next"))
    if visit.principal is not None:
        return RedirectResponse(after, 303)
    return await visit.show("sign_in.html", "", me=None, problems=[], email="", next=after)


async def enter(visit: Visit) -> Response:
    """Sign in."""
    email, after = visit.text("email"), local(visit.text("next"))
    try:
        signed_in = await signin.sign_in(visit.console, email, visit.text("password"), client=_client(visit))
    except Problem as problem:
        answer = await visit.show("sign_in.html", "", problem.status, me=None, problems=[problem.detail], email=email,
                                  next=after)  # fmt: skip
        if problem.more.get("retry_after"):
            answer.headers["Retry-After"] = str(problem.more["retry_after"])
        return answer
    return await _with_session(visit, "/account" if signed_in.must_change else after, signed_in)


async def leave(visit: Visit) -> Response:
    """Sign out."""
    await signin.sign_out(visit.console, visit.who)
    answer = visit.go("/sign-in", say("You are signed out."))
    answer.delete_cookie(signin.COOKIE)
    return answer


async def welcome(visit: Visit) -> Response:
    """The form to choose a password, for whoever holds the link."""
    token = visit.query("token")
    invited = await signin.invitation(visit.console, token)
    if invited is None:
        return await _ended(visit)
    return await visit.show("first_start.html", "", me=None, problems=[], token=token, **invited)


async def begin(visit: Visit) -> Response:
    """Set the password and sign in."""
    token = visit.text("token")
    try:
        signed_in = await signin.accept_invitation(visit.console, token, visit.text("password"), client=_client(visit))
    except Problem as problem:
        invited = await signin.invitation(visit.console, token)
        if invited is None:
            return await _ended(visit)
        return await visit.show("first_start.html", "", problem.status, me=None, problems=[problem.detail],
                                token=token, **invited)  # fmt: skip
    return await _with_session(visit, "/tickets", signed_in)


async def _ended(visit: Visit) -> Response:
    return await visit.show(
        "error.html", "", 404, me=None, title=say("This link has ended"), back="/sign-in", back_text=say("To the sign-in"),
        text=say("It was used already, or is too old. Ask an administrator for another one."),
    )  # fmt: skip


async def _with_session(visit: Visit, path: str, signed_in: signin.SignedIn) -> Response:
    await reading_choice.keep_zone(visit.console, signed_in.principal.id, visit.zone.key)
    answer = RedirectResponse(path, 303)
    answer.set_cookie(signin.COOKIE, signed_in.token, httponly=True, samesite="lax",
                      secure=visit.console.settings.secure)  # fmt: skip
    return answer


def _client(visit: Visit) -> str:
    return visit.request.client.host if visit.request.client else ""
