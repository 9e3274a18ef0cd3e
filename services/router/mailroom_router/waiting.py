"""Tickets of one partition that wait for an online agent or for a time, and which of them to try now. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from mailroom_contracts import Actor, AssignWaiting, TicketState, Wake, ids

MOST_AT_ONCE = 50
AGAIN_AFTER_S = 10.0  # when nobody was there after all, or the command was lost


@dataclass(slots=True)
class _Waiting:
    portal_id: str
    queue_id: str
    created_at: datetime
    version: int
    asked_at: float = float("-inf")


@dataclass(slots=True)
class _Snoozed:
    portal_id: str
    until: datetime
    asked_at: float = float("-inf")


class WaitingList:
    """Oldest first; at most one command per ticket is on its way."""

    def __init__(self) -> None:
        self._tickets: dict[str, _Waiting] = {}
        self._snoozed: dict[str, _Snoozed] = {}

    def __len__(self) -> int:
        return len(self._tickets)

    def note(self, state: TicketState | None, ticket_id: str) -> None:
        """A ticket has this state now."""
        if state is None or state.snoozed_until is None:
            self._snoozed.pop(ticket_id, None)
        elif (kept := self._snoozed.get(ticket_id)) is None or kept.until != state.snoozed_until:
            self._snoozed[ticket_id] = _Snoozed(state.portal_id, state.snoozed_until)
        if state is None or not state.wants_online or state.assignee_id is not None or state.status == "closed":
            self._tickets.pop(ticket_id, None)
            return
        before = self._tickets.get(ticket_id)
        asked_at = before.asked_at if before else float("-inf")
        self._tickets[ticket_id] = _Waiting(state.portal_id, state.queue_id, state.created_at, state.version, asked_at)

    def queues(self) -> set[tuple[str, str]]:
        """(portal, queue) pairs that tickets wait in."""
        return {(w.portal_id, w.queue_id) for w in self._tickets.values()}

    def due(self, staffed: Collection[tuple[str, str]], now: datetime, clock: float) -> list[AssignWaiting]:
        """Commands for tickets whose (portal, queue) has somebody online now; `clock` is monotonic, in seconds."""
        candidates = [
            (w.created_at, ticket_id, w)
            for ticket_id, w in self._tickets.items()
            if (w.portal_id, w.queue_id) in staffed and clock - w.asked_at >= AGAIN_AFTER_S
        ]
        commands: list[AssignWaiting] = []
        for _, ticket_id, waiting in sorted(candidates, key=lambda c: c[:2])[:MOST_AT_ONCE]:
            waiting.asked_at = clock
            commands.append(
                AssignWaiting(
                    id=ids.derive("assign-waiting", ticket_id, str(waiting.version)),
                    ticket_id=ticket_id,
                    portal_id=waiting.portal_id,
                    actor=Actor(kind="router"),
                    at=now,
                )
            )
        return commands

    def awake(self, now: datetime, clock: float) -> list[Wake]:
        """Commands for tickets that were put aside until a time that has come."""
        commands: list[Wake] = []
        for ticket_id, snoozed in self._snoozed.items():
            if snoozed.until <= now and clock - snoozed.asked_at >= AGAIN_AFTER_S and len(commands) < MOST_AT_ONCE:
                snoozed.asked_at = clock
                commands.append(
                    Wake(
                        id=ids.derive("wake", ticket_id, snoozed.until.isoformat()),
                        ticket_id=ticket_id,
                        portal_id=snoozed.portal_id,
                        actor=Actor(kind="router"),
                        at=now,
                        until=snoozed.until,
                    )
                )
        return commands
