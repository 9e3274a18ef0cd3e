"""One's own account, API tokens, and the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from mailroom_console.access import audit, reading_choice, signin, tokens
from mailroom_console.languages import LANGUAGES, chosen, mark, reading, say
from mailroom_console.pages.frame.pager import part_of
from mailroom_console.pages.frame.visit import Page, Visit, field_problems
from mailroom_console.principals import ADMIN, READ, SCOPES
from mailroom_console.problems import Problem

_ACTIONS = {"created": mark("Added"), "changed": mark("Changed"), "deleted": mark("Deleted"), "invited": mark("Made a sign-in link for"),
            "password_set": mark("Set the password of"), "removed": mark("Began to remove"), "erased": mark("Began to forget")}  # fmt: skip


_KINDS = {"address": mark("address"), "agent": mark("agent"), "queue": mark("queue"), "portal": mark("portal"),
          "token": mark("token"), "person": mark("person"), "retention": mark("closed tickets whose time was over"),
          "files": mark("files whose time was over")}  # fmt: skip


def pages() -> list[Page]:
    """The routes."""
    return [
        Page("GET", "/account", account, READ),
        Page("POST", "/account/password", change_password, READ),
        Page("POST", "/account/language", choose_language, READ),
        Page("GET", "/tokens", token_list, ADMIN),
        Page("POST", "/tokens", make_token, ADMIN),
        Page("POST", "/tokens/{id}/revoke", revoke_token, ADMIN),
        Page("GET", "/audit", trail, ADMIN),
    ]


async def account(visit: Visit) -> Response:
    """Presence, password, and where else to go."""
    return await _show_account(visit, {})


async def change_password(visit: Visit) -> Response:
    """Set another password."""
    try:
        await signin.change_password(visit.console, visit.who, visit.text("current"), visit.text("password"))
    except Problem as problem:
        shown = {"current": problem.detail} if problem.code == "wrong_password" else field_problems(problem)
        return await _show_account(visit, shown, problem.status)
    return visit.go("/account", say("The password is changed. Your other sessions are signed out."))


async def choose_language(visit: Visit) -> Response:
    """In which language the pages are; what is said about it is in that one already."""
    language = visit.text("language")
    await reading_choice.choose_language(visit.console, visit.who, language)
    with reading(chosen(language, visit.request.headers.get("accept-language", ""))):
        return visit.go("/account", say("Saved."))


async def _show_account(visit: Visit, problems: dict[str, Any], status: int = 200) -> Response:
    return await visit.show(
        "account.html", "account", status, problems=problems, must_change=visit.who.must_change,
        languages=list(LANGUAGES.items()), own_language=visit.who.language,
    )  # fmt: skip


async def token_list(visit: Visit) -> Response:
    """All tokens, and a form for another one."""
    return await _show_tokens(visit, {"name": "", "scopes": ["read"]})


async def make_token(visit: Visit) -> Response:
    """Make a token and show it, this once."""
    form: dict[str, Any] = {"name": visit.text("name"), "scopes": visit.texts("scopes")}
    try:
        made = await tokens.create(visit.console, visit.who, name=form["name"], scopes=form["scopes"])
    except Problem as problem:
        return await _show_tokens(visit, form, problems=field_problems(problem), status=problem.status)
    return await _show_tokens(visit, {"name": "", "scopes": ["read"]}, created=made["token"], status=201)


async def revoke_token(visit: Visit) -> Response:
    """End a token."""
    await tokens.remove(visit.console, visit.who, visit.path("id"))
    return visit.go("/tokens", say("The token is revoked. Whoever used it is turned away from now on."))


async def _show_tokens(
    visit: Visit, form: dict[str, Any], *, created: str = "", problems: dict[str, Any] | None = None, status: int = 200
) -> Response:
    items = (await tokens.listed(visit.console, visit.who)).items
    part = part_of(visit, items)
    for item in part.items:
        item["hint"] = str(item["hint"]).rstrip("…")
    offered = [(name, say(told)) for name, told in SCOPES.items() if name in visit.who.scopes]
    return await visit.show("tokens.html", "account", status, tokens=part.items, part=part, form=form, created=created,
                            problems=problems or {}, scopes=offered)  # fmt: skip


async def trail(visit: Visit) -> Response:
    """Who changed what, newest first."""
    page = await audit.entries(visit.console, visit.who, limit=50, after=visit.query("after") or None)
    return await visit.show(
        "audit.html", "account", items=[audit_entry(entry) for entry in page.items],
        older=f"/audit?{urlencode({'after': page.next})}" if page.next else None,
    )  # fmt: skip


def audit_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry in words."""
    kind, _, action = str(entry["action"]).partition(".")
    told = _audited(kind, action, entry["subject"]["name"])
    changes = [(field, change_words(change)) for field, change in (entry["changes"] or {}).items()]
    return {"at": entry["at"], "who": entry["actor"]["name"] or entry["actor"]["kind"], "words": told,
            "changes": changes}  # fmt: skip


def _audited(kind: str, action: str, name: str) -> str:
    done = say(_ACTIONS[action]) if action in _ACTIONS else action.replace("_", " ").capitalize()
    return say("{done} {kind} {name}", done=done, kind=say(_KINDS[kind]) if kind in _KINDS else kind, name=name).strip()


def change_words(change: Any) -> str:
    """Before and after in words."""
    if not isinstance(change, list | tuple) or len(change) != 2:
        return str(change)
    before, after = (_value(v) for v in change)
    return after if change[0] in (None, "", [], {}) else f"{before} → {after}"


def _value(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return say("nothing")
    if isinstance(value, bool):
        return say("on") if value else say("off")
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_value(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(_value(v) for v in value)
    return str(value)
