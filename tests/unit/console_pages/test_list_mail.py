"""A mail behind a list on the page: the person, how sure that is, and the warning where nobody can be told."""

from __future__ import annotations

from typing import Any

import pytest
from mailroom_console.pages.tickets.ticket_view import shown

LIST = "users@lists.example"


def message(grade: str, **more: Any) -> dict[str, Any]:
    return shown(
        {
            "id": "m1", "direction": "in", "kind": "mail", "from": {"email": LIST, "name": "Rita via Users"}, "to": [], "cc": [], "bcc": [],
            "reply_to": [], "text": "x", "reply_text": "x", "html": None, "raw_url": None, "truncated": False, "attachments": [],
            "verdicts": {"dmarc": "pass"}, "spam": False, "new_sender": False, "delivery": None, "lists": [LIST],
            "written_by": None if grade == "unknown" else {"email": "rita@x.example", "name": "Rita"}, "written_by_grade": grade, **more,
        },
        {},
    )  # fmt: skip


@pytest.mark.parametrize("grade", ["proven", "vouched", "claimed"])
def test_the_person_is_shown_and_how_sure_that_is(grade: str) -> None:
    found = message(grade)
    assert (found["who_name"], found["who_email"]) == ("Rita", "rita@x.example")
    assert LIST in found["from_line"]
    (warning,) = found["warnings"]
    assert LIST in warning["text"]
    assert "rita@x.example" in warning["text"]
    assert warning["tone"] == ("warn" if grade == "claimed" else "")
    waiting = message(grade, new_sender=True)["warnings"]
    assert waiting[-1]["confirm"] == "rita@x.example", "not the list: it never takes part"


def test_where_nobody_can_be_told_it_is_said_and_nobody_is_confirmed() -> None:
    found = message("unknown", new_sender=True)
    (warning,) = found["warnings"]
    assert "nobody can tell" in warning["text"]
    assert warning["confirm"] is None
    assert found["who_email"] == LIST
