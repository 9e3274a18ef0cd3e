"""A ticket's facts from the bytes of its state, without decoding what the index does not need of it.

A state takes pydantic 80 µs, since it checks all of it; an index is filled from a million of them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, cast

import msgspec
from mailroom_contracts import TicketState, decode_as

from .facts import Facts, facts

_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class _Person(msgspec.Struct, gc=False):
    email: str


class LeanMessage(msgspec.Struct, gc=False):
    """As `LeanState`, of a message."""

    id: str
    at: _Time
    kind: str = "mail"
    message_id: str | None = None
    other_ids: list[str] = []
    outbound_id: str | None = None
    recipients: list[str] = []


class LeanState(msgspec.Struct, gc=False):
    """Of a `TicketState` what `facts` asks of it and whether it waits, under the same names."""

    id: str
    number: str
    portal_id: str
    queue_id: str
    address_id: str
    status: str
    customer: _Person
    root: str
    updated_at: _Time
    assignee_id: str | None = None
    gmail_thread_id: str | None = None
    messages: list[LeanMessage] = []
    closed_at: _Time | None = None
    wants_online: bool = False
    snoozed_until: _Time | None = None
    their_numbers: list[str] = []


_decoder = msgspec.json.Decoder(LeanState)


def read_state(value: bytes) -> TicketState:
    """A state of which only what `LeanState` names may be asked. Raises `Undecodable`.

    What is read in the short way is what the contract says word for word; whatever is not (another type, a time that is
    not in UTC) is read by the contract itself, which converts or refuses it. What the index does not need may be broken
    and is not seen here: the second step refuses such a state when it comes to it.
    """
    try:
        lean = _decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return decode_as(TicketState, value)
    for message in lean.messages:
        if message.at.tzinfo is not UTC:
            return decode_as(TicketState, value)
    for at in (lean.updated_at, lean.closed_at, lean.snoozed_until):
        if at is not None and at.tzinfo is not UTC:
            return decode_as(TicketState, value)
    return cast(TicketState, lean)


def read_facts(value: bytes) -> Facts:
    """Everything that the index is to know of a ticket with this state. Raises `Undecodable`."""
    return facts(None, read_state(value))
