"""What was closed for long is forgotten by the router alone, which knows whether it was opened again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from mailroom_contracts import (
    CommandRefused,
    Erased,
    Expire,
    FilesRemoved,
    RemoveFiles,
    SetStatus,
    TicketCommand,
)
from mailroom_router.draft import Decision
from support.router_desk import NOW, command, run, ticket

CLOSED = NOW + timedelta(hours=1)
LATER = CLOSED + timedelta(days=40)


def closed() -> Any:
    return run(ticket(), command(SetStatus, ticket(), "c1", status="closed"), at=CLOSED).state


def asked(state: Any, cls: type[TicketCommand], **more: Any) -> Decision:
    given = {"closed_before": CLOSED} | more
    if cls is RemoveFiles:
        given |= {"message_ids": [state.messages[0].id], "days": 40}
    return run(state, command(cls, state, "e1", **given), at=LATER)


def test_a_ticket_whose_time_is_over_is_erased() -> None:
    decision = asked(closed(), Expire)
    (event,) = decision.events
    assert isinstance(event, Erased)
    assert (decision.erased, event.reason) == (True, "retention")


def test_its_files_are_removed_and_it_stays() -> None:
    state = closed()
    decision = asked(state, RemoveFiles)
    (event,) = decision.events
    assert isinstance(event, FilesRemoved)
    assert (event.message_ids, event.days) == ([state.messages[0].id], 40)
    assert not decision.erased
    assert decision.state is not None
    assert (decision.state.status, decision.state.closed_at) == ("closed", CLOSED)


@pytest.mark.parametrize("cls", [Expire, RemoveFiles])
def test_what_is_open_again_or_was_closed_later_stays(cls: type[TicketCommand]) -> None:
    opened = run(closed(), command(SetStatus, closed(), "o1", status="open"), at=LATER).state
    again = run(opened, command(SetStatus, opened, "c2", status="closed"), at=LATER).state
    for state, before in ((opened, CLOSED), (again, CLOSED), (closed(), CLOSED - timedelta(microseconds=1))):
        decision = asked(state, cls, closed_before=before)
        (event,) = decision.events
        assert isinstance(event, CommandRefused)
        assert (event.code, decision.erased) == ("not_due", False)
        assert decision.state is not None


def test_of_another_portal_or_of_no_ticket_nothing_is_erased() -> None:
    state = closed()
    other = command(Expire, state, "e2", closed_before=CLOSED).model_copy(update={"portal_id": "p2"})
    for given in (state, None):
        decision = run(given, other, at=LATER)
        assert [event.type for event in decision.events] == ["ticket.command_refused"]
        assert not decision.erased
