"""What people typed in real mail and web mail programs, as text and as HTML (../shared/programs and ../shared/webmail)."""

from __future__ import annotations

from typing import Any

import pytest
from mailroom_mail import extract_reply, html_to_text

from .real_mail import expectations, mail_of, squeezed

ANSWERS = frozenset(
    ["reply", "reply-auto", "replyall", "reply-all", "reply-bottom", "reply-attach", "reply-top", "reply-list"]
)


@pytest.mark.parametrize("folder", ["programs", "webmail"])
def test_there_are_answers_and_forwards(folder: str) -> None:
    rows = [parameter.values[0] for parameter in expectations(folder)]
    if not rows[0]:
        pytest.skip("../shared is not here")
    assert sum(row["action"] in ANSWERS for row in rows) > 15
    assert sum(row["action"].startswith("forward") for row in rows) > 5


def check(folder: str, row: dict[str, Any]) -> None:
    mail = mail_of(folder, row)
    reply = extract_reply(mail)
    typed, action = row.get("typed"), row["action"]
    if action.startswith("forward"):
        # Never cut down to the note: what is forwarded is what the mail is about.
        assert squeezed(typed) in squeezed(reply.text)
        if mail.text.count("\n") > 12:
            assert squeezed(reply.text) == squeezed(mail.text)
        return
    if typed and action in ANSWERS:
        assert squeezed(reply.text) == squeezed(typed)
        if reply.html is not None:
            assert squeezed(html_to_text(reply.html)) == squeezed(typed)
    elif typed:
        assert all(squeezed(line) in squeezed(reply.text) for line in typed.splitlines())


@pytest.mark.parametrize("row", expectations("programs"))
def test_programs(row: dict[str, Any]) -> None:
    check("programs", row)


@pytest.mark.parametrize("row", expectations("webmail"))
def test_web_mail(row: dict[str, Any]) -> None:
    check("webmail", row)
