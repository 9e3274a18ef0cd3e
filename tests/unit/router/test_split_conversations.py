"""However a conversation is cut into batches, and however far behind the second step is: the tickets of one mail at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from mailroom_contracts import EmailReceived, EmailRouted, Person, TicketState, Verdicts, decode_as, encode, topics
from mailroom_mail import ticket_number
from mailroom_router.conversation import Known, TicketClue
from mailroom_router.facts import Facts, facts
from mailroom_router.first_step import Arrival, FirstStep
from mailroom_router.redis_gate import RedisGate
from mailroom_router.redis_index import Index, Query
from support.router_desk import BAD, NOW, OK, RING, OpenGate, book, run
from support.router_world import mail

PEOPLE = ("jo@customer.example", "bob@customer.example", "eve@else.example", "kim@third.example")


class _Index:
    """What the index in Redis knows, in memory."""

    def __init__(self) -> None:
        self._sets: dict[tuple[str, str], list[str]] = {}
        self._tickets: dict[str, TicketClue] = {}

    async def look_up(self, queries: Sequence[Query]) -> tuple[list[None], list[Known]]:
        return [None] * len(queries), [self._known(query) for query in queries]

    def _known(self, query: Query) -> Known:
        clues = query.clues
        known = Known(
            numbers={n: list(found) for n in clues.numbers if (found := self._sets.get(("n", n)))},
            references={r: list(found) for r in clues.references if (found := self._sets.get(("m", r)))},
        )
        known.tickets = dict(self._tickets)
        return known

    async def remember(self, routed: Sequence[Any]) -> list[Any]:
        return []

    def learn(self, found: Facts) -> None:
        if found.clue:
            self._tickets[found.ticket_id] = TicketClue(*found.clue.split("|", 3))
        names = [("m", i) for i in found.message_ids] + ([("n", found.number)] if found.number else [])
        for name in names:
            tickets = self._sets.setdefault(name, [])
            if found.ticket_id not in tickets:
                self._sets[name] = sorted([*tickets, found.ticket_id])


class _World:
    """Both steps, the second one only when it is told to go on."""

    def __init__(self) -> None:
        self._index = _Index()
        self._step = FirstStep(book(), cast(Index, self._index), cast(RedisGate, OpenGate()), RING)
        self._routed: list[EmailRouted] = []
        self._states: dict[str, TicketState] = {}
        self.rounds = 0

    async def take(self, mails: list[EmailReceived], goes_on: Callable[[], bool]) -> None:
        while mails:
            self.rounds += 1
            mails = sorted(mails, key=lambda each: each.received_at)  # as the engine brings them
            records = [encode(topics.EMAIL_RECEIVED, m, source="test") for m in mails]
            results = await self._step.route([Arrival(r.value, r.headers) for r in records])
            again = []
            for one, result in zip(mails, results, strict=True):
                if result is None:
                    again.append(one)
                else:
                    assert isinstance(result, list)
                    self._routed += [decode_as(EmailRouted, r.value or b"") for r in result]
            assert len(again) < len(mails) or self._routed, "what waits, waits for something"
            mails = again
            if goes_on():
                self.second_step()

    def second_step(self) -> None:
        while self._routed:
            routed = self._routed.pop(0)
            before = self._states.get(routed.ticket_id)
            decision = run(before, routed, at=routed.received.received_at)
            if decision.sent_on is not None:
                self._routed.append(decision.sent_on)
            if decision.state is not None and decision.changed:
                self._states[routed.ticket_id] = decision.state
                self._index.learn(facts(before, decision.state, decision.events))

    def tickets(self) -> dict[str, set[str]]:
        """The messages of each ticket."""
        return {ticket: {m.id for m in state.messages} for ticket, state in self._states.items()}


@st.composite
def conversations(draw: st.DrawFn) -> list[EmailReceived]:
    """Mails in the order in which they were sent: questions, answers, others who were put in, strangers who answer."""
    made: list[EmailReceived] = []
    for number in range(draw(st.integers(2, 9))):
        author = draw(st.sampled_from(PEOPLE))
        others = draw(st.lists(st.sampled_from(PEOPLE), max_size=2, unique=True))
        kind = draw(st.sampled_from(["new", "answer", "answer", "answer", "bare answer", "list", "number"]))
        content: dict[str, Any] = {"cc": [Person(email=e) for e in others]}
        to = draw(st.sampled_from([("support@acme.example",), ("support@acme.example", "sales@acme.example")]))
        if kind == "list":
            content |= {"in_reply_to": ["newsletter@acme.example"], "references": ["newsletter@acme.example"]}
        elif kind != "new" and made:
            parent = draw(st.sampled_from(made))
            own = parent.content.message_id or ""
            content["in_reply_to"] = [own]
            if kind == "answer":
                content["references"] = [*parent.content.references, own]
            if kind == "number":
                content["subject"] = f"Re: [{ticket_number('00' * 16)}] order"
        received = mail(
            number, sender=author, to=to, at=NOW + timedelta(minutes=number),
            verdicts=draw(st.sampled_from([OK, OK, OK, BAD])), **content,
        )  # fmt: skip
        made.append(received)
    return made


async def _one_by_one(mails: list[EmailReceived]) -> dict[str, set[str]]:
    world = _World()
    for one in mails:
        await world.take([one], lambda: True)
    return world.tickets()


@settings(max_examples=60)
@given(mails=conversations(), data=st.data())
def test_any_split_gives_the_tickets_of_one_mail_at_a_time(mails: list[EmailReceived], data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.booleans(), min_size=len(mails), max_size=len(mails)))

    async def work() -> None:
        world, batch = _World(), []
        for one, cut in zip(mails, cuts, strict=True):
            batch.append(one)
            if cut:
                # within a batch the order is that of partitions and fetches
                await world.take(
                    data.draw(st.permutations(batch)), lambda: data.draw(st.booleans()) or world.rounds > 50
                )
                batch = []
        await world.take(batch, lambda: True)
        world.second_step()
        assert world.tickets() == await _one_by_one(mails)

    asyncio.run(work())


def test_a_question_its_answer_and_whoever_was_put_in_are_one_ticket() -> None:
    first = mail(1, at=NOW, cc=[Person(email="bob@customer.example")])
    answer = mail(2, sender="bob@customer.example", at=NOW + timedelta(seconds=1), in_reply_to=["m1@customer.example"])
    more = mail(3, at=NOW + timedelta(seconds=2), in_reply_to=["m2@customer.example"])

    async def work() -> dict[str, set[str]]:
        world = _World()
        await world.take([more, first, answer], lambda: True)
        return world.tickets()

    (messages,) = asyncio.run(work()).values()
    assert len(messages) == 3


def test_who_was_put_in_by_a_distant_answer_is_no_stranger() -> None:
    """The last mail names the first one only; that its writer takes part is said three answers further on."""
    made = [mail(0, at=NOW)]
    for number in (1, 2, 3):
        cc = [Person(email="bob@customer.example")] if number == 3 else []
        parent = [f"m{number - 1}@customer.example"]
        made.append(mail(number, at=NOW + timedelta(seconds=number), in_reply_to=parent, cc=cc))
    at = NOW + timedelta(seconds=4)
    made.append(mail(4, sender="bob@customer.example", at=at, in_reply_to=["m0@customer.example"]))

    async def work() -> dict[str, set[str]]:
        world = _World()
        await world.take(made, lambda: True)
        return world.tickets()

    (messages,) = asyncio.run(work()).values()
    assert len(messages) == 5


def test_a_newsletters_readers_do_not_wait_for_each_other() -> None:
    """They name the same mail, and take part in nothing of each other's: not two hundred rounds."""
    answers = [
        mail(n, sender=f"reader{n}@x.example", at=NOW, in_reply_to=["news@acme.example"], verdicts=Verdicts(spf="pass"))
        for n in range(200)
    ]

    async def work() -> int:
        world = _World()
        await world.take(answers, lambda: True)
        assert len(world.tickets()) == 200
        return world.rounds

    assert asyncio.run(work()) < 30
