"""Forms of addresses: what was typed, as the application takes it, and back. Pure, but for reading the request's form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailroom_mail.writing.templates import TemplateBroken, TemplateContext, render
from mailroom_oauth import Provider

from mailroom_console.addresses import forwarders
from mailroom_console.languages import mark, say
from mailroom_console.pages.frame.visit import Visit
from mailroom_console.problems import Problem, invalid

DEFAULT_SUBJECT = "We got your mail [{{ticket.number}}]: {{subject}}"
DEFAULT_CONTENT = (
    "Hello {{customer.name}},\n\nthank you for your mail. It is with our team {{queue.name}} now, and we answer as soon "
    "as we can.\n\nYour number is {{ticket.number}}.\n"
)
_FIELDS = {"smtp.host": "host", "smtp.port": "port", "smtp.tls": "tls", "smtp.username": "username",
           "auto_reply": "auto_content", "email": "email", "domain": "local_part", "provider": "sign_in",
           "smtp.provider": "sign_in", "smtp.auth": "sign_in"}  # fmt: skip
_LABELS = {"active": mark("active"), "full_name": mark("full name"), "queue_id": mark("queue"), "prefer_online": mark("prefer online agents"),
           "auto_enabled": mark("automatic reply"), "auto_subject": mark("its subject"), "auto_content": mark("its text"),
           "host": mark("server"), "port": mark("port"), "tls": mark("encryption"), "username": mark("user name"),
           "forwards_to": mark("forwarding"), "forwarders": mark("lists and forwarders")}  # fmt: skip


def blank() -> dict[str, Any]:
    """A form with nothing in it yet."""
    return {
        "local_part": "", "domain": "", "email": "", "full_name": "", "queue_id": "", "prefer_online": True,
        "active": True, "auto_enabled": False, "auto_subject": DEFAULT_SUBJECT, "auto_content": DEFAULT_CONTENT,
        "host": "", "port": 587, "tls": "", "username": "", "forwards_to": "", "forwarders": "", "revision": 1, "smtp_ok": "",
        "auth": "password", "provider": "",
        "signature": "", "number_in_subject": False, "auto_outside": "",
    }  # fmt: skip


def of(address: Mapping[str, Any]) -> dict[str, Any]:
    """The form of an address as it is saved."""
    reply = address["auto_reply"]
    smtp = address["smtp"] or {}
    return blank() | {
        "email": address["email"], "full_name": address["full_name"], "queue_id": address["queue_id"] or "",
        "prefer_online": address["prefer_online"], "active": address["active"], "auto_enabled": reply["enabled"],
        "auto_subject": reply["subject"] or DEFAULT_SUBJECT, "auto_content": reply["content"] or DEFAULT_CONTENT,
        "host": smtp.get("host", ""), "port": smtp.get("port", 587), "tls": smtp.get("tls", ""),
        "username": smtp.get("username", ""), "forwards_to": address["forwards_to"] or "",
        "auth": smtp.get("auth", "password"), "provider": smtp.get("provider") or "",
        "forwarders": forwarders.as_lines(address.get("forwarders") or []), "revision": address["revision"],
        "signature": address["signature"],
        "number_in_subject": address["number_in_subject"], "auto_outside": reply["outside_content"],
    }  # fmt: skip


def of_draft(given: Mapping[str, Any]) -> dict[str, Any]:
    """The form of what was typed before a sign-in."""
    reply, smtp = given.get("auto_reply") or {}, given.get("smtp") or {}
    known = {
        k: given[k]
        for k in ("email", "full_name", "queue_id", "prefer_online", "forwards_to")
        if given.get(k) is not None
    }
    return blank() | known | {
        "auto_enabled": bool(reply.get("enabled")), "auto_subject": reply.get("subject") or DEFAULT_SUBJECT,
        "auto_content": reply.get("content") or DEFAULT_CONTENT, "host": smtp.get("host", ""),
        "port": smtp.get("port", 587), "tls": smtp.get("tls", ""), "username": smtp.get("username", ""),
        "provider": given.get("provider", ""),
    }  # fmt: skip


def of_provider(smtp: Mapping[str, Any], provider: Provider | None) -> dict[str, Any]:
    """The account of the form for a sign-in: the provider's own server, unless another was typed for one without."""
    if provider is not None and provider.host:
        kept = {"username"} | ({"host", "port", "tls"} if smtp.get("host") else set())
        return {k: v for k, v in smtp.items() if k in kept and v}
    return dict(smtp)


def read(visit: Visit) -> dict[str, Any]:
    """What was typed. The password is not kept: a page never shows one."""
    return blank() | {
        "local_part": visit.text("local_part").strip(), "domain": visit.text("domain"),
        "email": visit.text("email").strip(), "full_name": visit.text("full_name"), "queue_id": visit.text("queue_id"),
        "prefer_online": visit.flag("prefer_online"), "active": visit.flag("active"),
        "auto_enabled": visit.flag("auto_enabled"), "auto_subject": visit.text("auto_subject"),
        "auto_content": visit.text("auto_content"), "host": visit.text("host").strip(),
        "port": visit.text("port").strip(), "tls": visit.text("tls"), "username": visit.text("username").strip(),
        "forwards_to": visit.text("forwards_to"), "auth": visit.text("auth") or "password",
        "forwarders": visit.text("forwarders").replace("\r\n", "\n").strip(), "revision": visit.number("revision") or 0,
        "signature": visit.text("signature"), "number_in_subject": visit.flag("number_in_subject"),
        "auto_outside": visit.text("auto_outside"),
    }  # fmt: skip


def given(form: Mapping[str, Any], password: str, kind: str, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The form as the application takes it. An account that did not change is left out, so no login is tried."""
    wanted: dict[str, Any] = {
        "full_name": form["full_name"], "queue_id": form["queue_id"] or None, "prefer_online": form["prefer_online"],
        "auto_reply": {"enabled": form["auto_enabled"], "subject": form["auto_subject"],
                       "content": form["auto_content"], "outside_content": form["auto_outside"]},
    }  # fmt: skip
    if before is not None:
        wanted |= {"active": form["active"], "revision": form["revision"]}
        if kind != "internal":
            wanted |= {"signature": form["signature"], "number_in_subject": form["number_in_subject"]}
        if form["forwarders"] != forwarders.as_lines(before.get("forwarders") or []):
            wanted["forwarders"] = forwarders.from_lines(form["forwarders"])
    elif kind == "internal":
        wanted |= {"local_part": form["local_part"], "domain": form["domain"] or None}
    else:
        wanted["email"] = form["email"]
    if kind == "smtp":
        wanted["forwards_to"] = form["forwards_to"] or None
        account = smtp(form) if form["auth"] != "oauth" or before is None else {"username": form["username"]}
        present = (before or {}).get("smtp") or {}
        if password or any(present.get(name) != value for name, value in account.items() if value):
            wanted["smtp"] = account
        if password:
            wanted["password"] = password
    return wanted


def smtp(form: Mapping[str, Any]) -> dict[str, Any]:
    """The account of the form. Raises `Problem` 422 for a port that is no number."""
    text = str(form["port"])
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535):
        raise invalid("smtp.port", say("A port is a number from 1 to 65535; 587 and 465 are usual."))
    account = {"host": form["host"], "port": int(text), "username": form["username"]}
    return account | ({"tls": form["tls"]} if form["tls"] else {})


def problems(problem: Problem, kind: str) -> dict[str, Any]:
    """A problem at the field that it is about."""
    if problem.code == "smtp_check_failed":
        return {"smtp": problem.detail, "smtp_detail": str(problem.more.get("server_reply") or "")}
    if problem.code == "address_taken":
        return {"local_part" if kind == "internal" else "email": problem.detail}
    field = str(problem.more.get("field") or "")
    return {_FIELDS.get(field, field): problem.detail} if field else {"": [problem.detail]}


def differences(mine: Mapping[str, Any], saved: Mapping[str, Any]) -> str:
    """What somebody else saved that differs from what was typed here, in words."""
    told = []
    for name, label in _LABELS.items():
        if str(mine[name]) != str(saved[name]):
            value = saved[name]
            words = (say("on") if value else say("off")) if isinstance(value, bool) else f"“{value}”"
            told.append(f"{say(label)} {words[:80]}")
    return ", ".join(told) or say("the same as yours")


def sample(form: Mapping[str, Any], queue_names: Mapping[str, str]) -> dict[str, str]:
    """The automatic reply as it would answer a sample mail."""
    shown = preview(form["auto_subject"], form["auto_content"], queue_names.get(form["queue_id"], say("Support")))
    return {"customer": "Jo Miller", "subject": say("My order 1234"), "rendered_subject": shown["subject"],
            "rendered_text": shown["text"], "error": shown["error"]}  # fmt: skip


def preview(subject: str, content: str, queue_name: str) -> dict[str, str]:
    """Subject and text for the sample mail, or what is wrong with the template."""
    context = TemplateContext.of(
        ticket_number="MR-7K3F9Q2X", customer_name="Jo Miller", customer_email="jo.miller@customer.example",
        subject=say("My order 1234"), queue_name=queue_name,
    )  # fmt: skip
    try:
        finished = render(subject, content, context)
    except TemplateBroken as broken:
        return {"subject": "", "text": "", "error": say("This text cannot be used: {broken}", broken=broken)}
    return {"subject": finished.subject, "text": finished.content, "error": ""}
