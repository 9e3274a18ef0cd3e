"""What the ticket tests share: a book, a clock, and inputs routed and decided without any service."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from mailroom_contracts import (
    Actor,
    DeliveryReport,
    EmailReceived,
    EmailRouted,
    TicketCommand,
    TicketState,
    Verdicts,
    ids,
)
from mailroom_router.conversation import Clues, Known, clues, route
from mailroom_router.placement import Place
from mailroom_router.ticket import Context, Decision, Input, decide, finish
from mailroom_runtime.book import Book

from support.router_world import KEYS, acme, mail

RING = {"k1": b64decode(KEYS.partition(":")[2])}
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OK = Verdicts(spf="pass", dmarc="pass")
BAD = Verdicts(spf="fail", dmarc="fail")
C = TypeVar("C", bound=TicketCommand)


class OpenGate:
    """Redis, always there (the face of `RedisGate` that the first step sees)."""

    up = True
    rebuilding = False

    async def attempt(self, work: Awaitable[Any], default: Any) -> Any:
        return await work


def book() -> Book:
    made = Book()
    for topic, message in acme():
        made.apply(topic.name, message.record_key, message)
    return made


def context(at: datetime = NOW, online: frozenset[str] | None = None) -> Context:
    return Context(book(), RING, at, online)


def routed(
    received: EmailReceived, *, ticket: str | None = None, reason: str | None = None, verdicts: Verdicts = OK,
    queue: str = "q1", address: str = "ad1", **more: Any,
) -> EmailRouted:  # fmt: skip
    """The mail routed by its own clues, or to `ticket` for that reason."""
    (one,) = route(
        received, [Place(address, queue, verdicts)], clues(received, RING) if ticket is None else Clues(), Known()
    )
    if ticket is not None:
        more |= {"ticket_id": ticket, "id": ids.routed_id(received.id, ticket), "reason": reason or "reference"}
    return one.model_copy(update=more)


def run(
    state: TicketState | None, message: Input, *, at: datetime = NOW, online: frozenset[str] | None = None,
    agent: str | None = None,
) -> Decision:  # fmt: skip
    """Decide and finish; `agent` is who would be found online."""
    draft = decide(state, message, context(at, online))
    return finish(draft, agent if draft.wanted else None)


def ticket(agent: str | None = "a1", **more: Any) -> TicketState:
    """The ticket that one new mail makes, given to `agent`; the rest is about the mail."""
    state = run(None, routed(mail(1, at=NOW, **more)), agent=agent).state
    assert state is not None
    return state


def command(cls: type[C], state: TicketState | str, key: str = "1", **fields: Any) -> C:
    ticket = state if isinstance(state, str) else state.id
    fields.setdefault("portal_id", "p1")
    return cls(
        id=ids.command_id("p1", ticket, f"{cls.__name__}{key}"), ticket_id=ticket, actor=Actor(kind="agent", id="a1"),
        at=NOW, **fields,
    )  # fmt: skip


def report(state: TicketState, outbound: str, kind: str, attempt: int = 1, **more: Any) -> DeliveryReport:
    return DeliveryReport(outbound_id=outbound, portal_id="p1", ticket_id=state.id, message_id="m", address_id="ad3",
                          state=kind, attempt=attempt, at=NOW, **more)  # fmt: skip


def types(decision: Decision) -> list[str]:
    return [e.type.removeprefix("ticket.") for e in decision.events]


def after(days: float) -> datetime:
    return NOW + timedelta(days=days)
