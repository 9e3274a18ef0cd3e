"""What of a partition of ticket.events is written again, what not; and what waits for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mailroom_contracts import COPY_OF, topics
from mailroom_router.event_log import Content, Tally
from mailroom_router.inbox import Inbox, Raw
from mailroom_router.renewal import copied
from mailroom_runtime.forgotten import digest_of


@dataclass(frozen=True)
class Told:
    """A record, as far as it is looked at."""

    offset: int
    key: bytes
    value: bytes
    timestamp: int
    headers: tuple[tuple[str, bytes], ...]


def record(offset: int, key: str, kind: str = "ticket.message_added", value: str = "", of: int | None = None) -> Any:
    headers = [("ce_id", f"{key}-{value or offset}".encode()), ("ce_type", kind.encode())]
    headers += [] if of is None else [(COPY_OF, str(of).encode())]
    return Told(offset, key.encode(), (value or str(offset)).encode(), offset * 10, tuple(headers))


def renewed(log: list[Any], copies: int | None = None, *, delete: bool = True) -> tuple[list[Any], Content]:
    """The log after a renewal, or after one that was broken off when so many `copies` were there."""
    first, erased, forgotten, due = log[0].offset, {}, {}, False
    before = Content(first, first)
    for one in log:
        due |= before.seen(one, erased, forgotten)
    content = Content(first, log[-1].offset + 1, erased, forgotten, due)
    kept = [content.without_persons(one) for one in log if content.keeps(one)][:copies]
    new = [
        Told(content.end + n, c.key, c.value, c.timestamp, tuple(c.headers))
        for n, c in enumerate(map(copied, kept))
    ]  # fmt: skip
    return (new if delete and copies is None else [*log, *new]), content


def plain(log: list[Any]) -> list[tuple[Any, ...]]:
    return [(r.key, r.value, r.timestamp, tuple(h for h in r.headers if h[0] != COPY_OF)) for r in log]


LOG = [record(3, "a"), record(4, "b"), record(5, "a"), record(7, "a", "ticket.erased"), record(8, "b"), record(9, "a")]


def test_what_was_before_the_erasure_goes_and_what_began_anew_stays() -> None:
    after, content = renewed(LOG)
    assert plain(after) == plain([LOG[n] for n in (1, 3, 4, 5)])
    assert content.due
    again, content = renewed(after)
    assert not content.due, "the erasure is there, and nothing that it is about"
    assert plain(again) == plain(after)


@given(broken_off=st.lists(st.integers(0, 6), max_size=3), later=st.integers(0, 2))
def test_tries_that_were_broken_off_change_nothing_of_the_result(broken_off: list[int], later: int) -> None:
    log = LOG
    for copies in broken_off:
        log, _ = renewed(log, copies)
    log = [*log, *(record(log[-1].offset + 1 + n, "a") for n in range(later))]
    wanted = [*[LOG[n] for n in (1, 3, 4, 5)], *log[len(log) - later :]]
    after, content = renewed(log)
    assert (plain(after), content.due) == (plain(wanted), True)
    assert not renewed(after)[1].due
    # all of it was copied, and the end came before the old part was deleted
    assert plain(renewed(renewed(log, delete=False)[0])[0]) == plain(wanted)


def test_tallies_differ_when_anything_does() -> None:
    def tally(*records: Any) -> Tally:
        made = Tally()
        for one in records:
            made.add(one)
        return made

    a, b = record(1, "a"), record(2, "b")
    assert tally(a, b) == tally(a, record(2, "b", of=1))
    for other in ((a,), (b, a), (a, b, b), (a, record(2, "b", value="x")), (a, record(2, "c", value="2"))):
        assert tally(*other) != tally(a, b)


def test_a_command_to_renew_is_taken_only_when_it_is_done_and_nothing_of_its_lane_passes_it() -> None:
    def raw(offset: int, kind: str) -> Raw:
        return Raw(topics.TICKET_COMMANDS, 0, offset, b"k", b"{}", [("ce_type", kind.encode())])

    inbox = Inbox()
    lane = inbox.lane(topics.TICKET_COMMANDS)
    lane.feed([raw(0, "ticket.reply"), raw(1, "events.renew"), raw(2, "ticket.reply")], 0.0)
    assert inbox.held is None
    assert [r.offset for r in inbox.take(10, patient=True)] == [0]
    held = inbox.held
    assert held is not None
    assert held.offset == 1
    assert (lane.urgent, lane.open, len(lane)) == (False, False, 2)
    assert inbox.take(10, patient=True) == []
    inbox.release(held)
    taken = inbox.take(10, patient=True)
    assert [r.offset for r in taken] == [1, 2]
    inbox.put_back(taken)
    assert inbox.held is None, "it was done before"


def of_pat(offset: int, key: str = "a", *, said: str = "The blue one") -> Any:
    message = {"id": f"m{offset}", "direction": "in", "from": {"email": "Pat@c.example", "name": "Pat"}, "text": said}
    return record(offset, key, value=json.dumps({"portal_id": "p1", "message": message}))


def forgets(offset: int, key: str = "a") -> Any:
    value = json.dumps({"portal_id": "p1", "person": digest_of("p1", "pat@c.example")})
    return record(offset, key, "ticket.person_forgotten", value)


@given(broken_off=st.lists(st.integers(0, 5), max_size=3))
def test_a_person_goes_from_what_was_before_in_that_ticket_alone(broken_off: list[int]) -> None:
    log = [of_pat(3), of_pat(4, "b"), record(5, "a", value='{"text":"Ours"}'), forgets(6), of_pat(8)]
    for copies in broken_off:
        log, _ = renewed(log, copies)
    after, content = renewed(log)
    assert content.due
    assert [(one.key, b"Pat@" in one.value, b"blue" in one.value) for one in after] == [
        (b"a", False, False), (b"b", True, True), (b"a", False, False), (b"a", False, False), (b"a", True, True),
    ]  # fmt: skip
    assert after[2].value == b'{"text":"Ours"}', "what does not name the person is as it was, byte for byte"
    again, content = renewed(after)
    assert not content.due
    assert plain(again) == plain(after)
