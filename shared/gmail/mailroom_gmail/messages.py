"""Gmail's messages: what the API's answers say of them. Pure."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that came to the account, or into one of its labels (`labelled`). `history_id`: once this is dealt
    with, history may go on from there."""

    id: str
    label_ids: tuple[str, ...]
    history_id: str
    labelled: bool = False


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """What came since a history id, oldest first. `history_id` is where to go on after the last page."""

    arrivals: tuple[Arrival, ...]
    history_id: str
    next_page: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of message ids, newest first."""

    ids: tuple[str, ...]
    next_page: str | None
    estimate: int


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A message as it lies in Gmail."""

    id: str
    thread_id: str
    label_ids: tuple[str, ...]
    raw: bytes
    history_id: str
    internal_ms: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that Gmail took."""

    id: str
    thread_id: str


@dataclass(frozen=True, slots=True)
class Form(Generic[R]):
    """What of a message is asked for, and how the answer is read."""

    asked: Mapping[str, Any]
    read: Callable[[Any], R]


def arrivals(records: Sequence[Any]) -> tuple[Arrival, ...]:
    """History records as arrivals; a message that stands in several counts where it stands last."""
    found: dict[str, Arrival] = {}
    for record in records:
        for kind, labelled in (("labelsAdded", True), ("messagesAdded", False)):
            for each in record.get(kind, []):
                message = each["message"]
                before = found.pop(message["id"], None)
                new = labelled and (before is None or before.labelled)
                labels = {*message.get("labelIds", ()), *(each.get("labelIds", ()) if labelled else ())}
                found[message["id"]] = Arrival(message["id"], tuple(sorted(labels)), str(record["id"]), new)
    return tuple(found.values())


def _raw(answer: Any) -> RawMessage:
    encoded = str(answer["raw"])
    return RawMessage(
        str(answer["id"]),
        str(answer.get("threadId") or ""),
        tuple(answer.get("labelIds", ())),
        base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)),
        str(answer.get("historyId") or "0"),
        int(answer.get("internalDate") or 0),
    )


def _own(answer: Any) -> tuple[str, ...]:
    return tuple(str(h.get("value", "")).strip(" <>") for h in answer.get("payload", {}).get("headers", []))


SIZE: Form[int] = Form({"format": "minimal"}, lambda answer: int(answer.get("sizeEstimate") or 0))
RAW = Form({"format": "raw"}, _raw)
OWN_IDS = Form({"format": "metadata", "metadataHeaders": ["X-Mailroom-Id", "Message-ID"]}, _own)
