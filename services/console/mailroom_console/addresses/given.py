"""What was given for an address, checked and completed, with the field that is wrong. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailroom_mail.writing.templates import LONGEST_TEMPLATE, check_template

from mailroom_console import times
from mailroom_console.languages import say
from mailroom_console.mailboxes import domain_name, email_address, local_part
from mailroom_console.problems import Problem, conflict, invalid

LONGEST_SIGNATURE = 2_000
LONGEST_SUBJECT_TEMPLATE = 1000  # characters of an automatic reply's subject as it is written


def internal_email(given: Mapping[str, Any], hosted: list[str]) -> str:
    """The whole address of an internal one, at a domain that is `hosted` here. Raises `Problem` 422 or 409."""
    if not hosted:
        raise conflict("no_domain", say("The portal has no mail domain yet: add one first."))
    local = str(given.get("local_part") or "")
    if not local and given.get("email"):
        local, _, domain = str(given["email"]).partition("@")
        if domain and domain_name(domain, "email") not in hosted:
            raise invalid("email", say("An internal address is at {names}.", names=" or ".join(hosted)))
        given = {**given, "domain": domain or None}
    domain = domain_name(str(given["domain"]), "domain") if given.get("domain") else hosted[0]
    if domain not in hosted:
        raise invalid("domain", say("An internal address is at {names}.", names=" or ".join(hosted)))
    return f"{local_part(local)}@{domain}"


def smtp_email(given: Mapping[str, Any], hosted: list[str]) -> str:
    """An address elsewhere. Raises `Problem` 422 where it is at a domain that is `hosted` here."""
    email = email_address(str(given.get("email") or ""))
    if email.rpartition("@")[2] in hosted:
        raise invalid("email", say("We receive this domain's mail ourselves: add it as an internal address."))
    return email


def gmail_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """What of a Gmail account may be changed, as it is kept: JSON, times as text in UTC."""
    kept: dict[str, Any] = {}
    if given.get("label_ids") is not None:
        kept["label_ids"] = given["label_ids"]
    if "import_since" in given:
        since = given["import_since"]
        try:
            kept["import_since"] = None if since is None else times.rfc3339(times.micros(since))
        except OverflowError:  # 0001-01-01 in a zone east of Greenwich
            raise invalid("gmail.import_since", say("In UTC this is not within the years 1 to 9999.")) from None
    return kept


def answering(given: Mapping[str, Any]) -> dict[str, Any]:
    """How answers from the address look. Raises `Problem` 422 for a signature that is too long."""
    if len(str(given.get("signature", ""))) > LONGEST_SIGNATURE:
        raise invalid(
            "signature",
            say("A signature has at most {most} characters.", most=LONGEST_SIGNATURE),
        )
    return {name: bool(value) if name == "number_in_subject" else str(value) for name, value in given.items()}


def auto_reply(given: Any, before: Mapping[str, Any]) -> dict[str, Any]:
    """The automatic reply, `given` over what was `before`. Raises `Problem` 422: too long, or no template."""
    wanted = {"enabled": False, "subject": "", "content": "", "outside_content": "", **before}
    if given is None:
        return wanted
    wanted |= {k: v for k, v in dict(given).items() if k in wanted and v is not None}
    if len(str(wanted["subject"])) > LONGEST_SUBJECT_TEMPLATE or len(str(wanted["content"])) > LONGEST_TEMPLATE:
        raise invalid(
            "auto_reply",
            say(
                "The subject has at most {most} characters, the text {most_text}.",
                most=LONGEST_SUBJECT_TEMPLATE,
                most_text=LONGEST_TEMPLATE,
            ),
        )
    if (wanted["enabled"] or wanted["content"]) and (
        problems := [
            *check_template(str(wanted["subject"]), str(wanted["content"])),
            *(check_template(str(wanted["subject"]), outside) if (outside := str(wanted["outside_content"])) else ()),
        ]
    ):
        raise Problem(422, "bad_template", " ".join(problems), field="auto_reply", problems=problems)
    return wanted
