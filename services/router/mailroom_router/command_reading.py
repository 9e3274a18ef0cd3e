"""A command as far as it can be read: whoever can be told is answered, not only put to the dead letters. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mailroom_contracts import Actor, TicketCommand, Undecodable, decode, decode_as, header, topics
from pydantic import ValidationError
from pydantic_core import from_json

LONGEST_ID = 1_000  # characters; nobody's id is longer, and it goes into headers


class UnclearCommand(TicketCommand):
    """One that cannot be carried out; `problem` says why, for whoever wrote it."""

    code: str = "malformed"
    problem: str


def read_command(key: bytes | None, value: bytes, headers: Sequence[tuple[str, bytes]]) -> TicketCommand:
    """The command of a record; one of an unknown type as the plain command, a wrong one as `UnclearCommand`.

    Raises `Undecodable` when it does not say its id and its ticket, so that nobody can be answered.
    """
    try:
        message = decode(topics.TICKET_COMMANDS, value, headers)
        return message if isinstance(message, TicketCommand) else decode_as(TicketCommand, value)
    except Undecodable as error:
        return _as_far_as_can_be(key, value, headers, error)


def unclear(command: TicketCommand, code: str, problem: str) -> UnclearCommand:
    """A command that was read and is refused with that code."""
    plain = {name: getattr(command, name) for name in TicketCommand.model_fields}
    return UnclearCommand(**plain, code=code, problem=problem)


def _as_far_as_can_be(
    key: bytes | None, value: bytes, headers: Sequence[tuple[str, bytes]], error: Undecodable
) -> TicketCommand:
    try:
        parsed = from_json(value)
    except ValueError:
        parsed = None
    told: Mapping[str, Any] = parsed if isinstance(parsed, dict) else {}
    command_id = _text(told.get("id")) or _text(header(headers, "ce_id"))
    ticket_id = _text(told.get("ticket_id")) or _text(_decoded(key)) or _text(header(headers, "ce_subject"))
    if not command_id or not ticket_id:
        raise error
    return UnclearCommand(
        id=command_id,
        type=_text(told.get("type")) or _text(header(headers, "ce_type")),
        ticket_id=ticket_id,
        portal_id=_text(told.get("portal_id")),
        actor=_actor(told.get("actor")),
        at=datetime.now(UTC),
        problem=str(error),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= LONGEST_ID and value.isprintable() else ""


def _decoded(key: bytes | None) -> str:
    try:
        return (key or b"").decode()
    except UnicodeDecodeError:
        return ""


def _actor(value: object) -> Actor:
    try:
        return Actor.model_validate(value)
    except ValidationError:
        return Actor(kind="api")
