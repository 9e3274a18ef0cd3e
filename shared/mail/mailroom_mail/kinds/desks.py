"""Marks of other helpdesks, and their notices that no person wrote. Pure."""

from __future__ import annotations

import re

from mailroom_mail.reading.model import Mail

from .automatic import Fields

_FIELDS = (
    ("x-rt-", "rt"),
    ("rt-ticket", "rt"),
    ("x-roundup-", "roundup"),
    ("x-otrs-", "otrs"),
    ("x-znuny-", "otrs"),
    ("x-zammad-", "zammad"),
    ("x-zendesk-", "zendesk"),
    ("x-freshdesk-", "freshdesk"),
    ("x-jira-", "jira"),
    ("x-redmine-", "redmine"),
    ("x-helpscout-", "helpscout"),
    ("x-freescout-", "freescout"),
    ("x-osticket-", "osticket"),
    ("x-glpi-", "glpi"),
    ("x-mailroom-", "mailroom"),
)
_PROGRAM = re.compile(
    r"\b(otrs|znuny|zammad|zendesk|freshdesk|jira|redmine|osticket|freescout|glpi|roundup)\b", re.IGNORECASE
)
# Request Tracker's "[rt.example #1] Resolved: …" and django-helpdesk's "[sup-2] … (Resolved)", as they ship: the mails of
# their agents have the same fields, but answer something or are called (Updated).
_STATE = re.compile(
    r"\s{0,8}\[[^\[\]\n]{0,60}\d\](?:\s{0,4}(?:resolved|closed|status changed|ticket (?:state|status) changed)\b(?: to\b|\s{0,4}:)"
    r"|[^\n]{1,900}\((?:resolved|closed)\)\s*\Z)",
    re.IGNORECASE,
)


def marks(mail: Mail, fields: Fields) -> list[str]:
    """`desk:NAME` where the fields of another desk stand in the header: its people's mails carry automatic signs too."""
    for name in fields:
        if name.startswith(("x-", "rt-")):
            for start, desk in _FIELDS:
                if name.startswith(start):
                    return [f"desk:{desk}"]
    for name in ("x-powered-by", "x-mailer"):
        for value in fields.get(name, ()):
            if (found := _PROGRAM.search(value[:200])) is not None:
                return [f"desk:{found.group(1).lower()}"]
    return []


def is_state_notice(mail: Mail, fields: Fields) -> bool:
    """Whether it is a desk's notice that its ticket was closed, told by the subject alone and by answering nothing."""
    return "[" in mail.subject and not mail.in_reply_to and _STATE.match(mail.subject[:1000]) is not None
