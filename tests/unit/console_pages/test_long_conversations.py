"""A page of a long conversation shows its end, and leads to what stands before."""

from __future__ import annotations

import pytest
from mailroom_console.pages.frame.choices import options
from mailroom_console.pages.tickets.ticket_view import ON_A_PAGE, timeline


def ticket(number: int) -> dict[str, object]:
    history = [{"id": f"e{n}", "type": "ticket.unassigned", "version": n, "at": f"{n:06d}"} for n in range(number)]
    return {"messages": [], "history": history}


@pytest.mark.parametrize(
    ("number", "skipped", "first", "last", "earlier", "later"),
    [
        (3, 0, "e0", "e2", 0, 0),
        (ON_A_PAGE + 5, 0, "e5", f"e{ON_A_PAGE + 4}", 5, 0),
        (ON_A_PAGE + 5, ON_A_PAGE, "e0", "e4", 0, ON_A_PAGE),
        (ON_A_PAGE + 5, 10**8, "e0", "e4", 0, ON_A_PAGE),
    ],
)
def test_a_part_of_it(number: int, skipped: int, first: str, last: str, earlier: int, later: int) -> None:
    found = timeline(ticket(number), {}, {}, skipped)
    assert (found.shown[0]["id"], found.shown[-1]["id"], found.earlier, found.later) == (first, last, earlier, later)


def test_every_entry_is_in_one_part() -> None:
    whole = ticket(3 * ON_A_PAGE + 7)
    seen: list[str] = []
    skipped = 0
    while True:
        part = timeline(whole, {}, {}, skipped)
        seen = [entry["id"] for entry in part.shown] + seen
        if not part.earlier:
            break
        skipped += ON_A_PAGE
    assert seen == [f"e{n}" for n in range(3 * ON_A_PAGE + 7)]


def test_an_empty_conversation_has_one_empty_part() -> None:
    found = timeline({"messages": [], "history": []}, {}, {}, 7)
    assert (list(found.shown), found.earlier, found.later) == ([], 0, 0)


def test_options_are_escaped() -> None:
    told = str(options([('"><script>', "<b>&"), ("x", "X")], "x", before="<"))
    assert "<script>" not in told
    assert "<b>" not in told
    assert '<option value="&lt;x" selected>X</option>' in told
