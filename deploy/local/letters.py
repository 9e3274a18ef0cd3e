"""Mail that the local mailbox took: kept as files, decoded for people and tests, the oldest dropped when it gets much."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr
from functools import cached_property
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Letter:
    """One mail as it arrived: envelope and bytes. Everything else is read from them."""

    number: int
    received_at: str
    sender: str
    recipients: tuple[str, ...]
    raw: bytes

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The letter as `GET /messages` shows it.

        `from` and `to` are bare addresses (From header, else the envelope; envelope recipients, joined by ", ").
        `headers` maps each name as sent to its decoded value; of a repeated header the first value counts. `raw` is
        the source as text, undecodable bytes replaced; the bytes themselves are at `/messages/ID/raw`.
        """
        message = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(message, EmailMessage)
        headers: dict[str, str] = {}
        for name, value in _headers(message):
            headers.setdefault(name, value)
        lower = {name.lower(): value for name, value in headers.items()}
        return {
            "id": self.number,
            "received_at": self.received_at,
            "from": parseaddr(lower.get("from", ""))[1] or self.sender,
            "to": ", ".join(self.recipients),
            "subject": lower.get("subject", ""),
            "envelope": {"from": self.sender, "to": list(self.recipients)},
            "headers": headers,
            "text": _body(message, "plain"),
            "html": _body(message, "html"),
            "attachments": _attachments(message),
            "raw": self.raw.decode("utf-8", "replace"),
        }


class Letters:
    """The letters in one folder, `NUMBER.eml` with `NUMBER.json` beside it; at most `most` letters and `most_bytes`."""

    def __init__(self, folder: Path, most: int = 2000, most_bytes: int = 200_000_000) -> None:
        self._folder = folder
        self._most, self._most_bytes = most, most_bytes
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._letters = [self._load(file) for file in sorted(folder.glob("*.json"))]
        self._bytes = sum(len(letter.raw) for letter in self._letters)
        self._next = self._letters[-1].number + 1 if self._letters else 1

    def add(self, now: datetime, sender: str, recipients: list[str], raw: bytes) -> Letter:
        with self._lock:
            letter = Letter(self._next, now.isoformat(timespec="milliseconds"), sender, tuple(recipients), raw)
            self._next += 1
            stem = self._stem(letter.number)
            stem.with_suffix(".eml").write_bytes(raw)
            # The description comes last: a letter counts once it is complete.
            stem.with_suffix(".json").write_text(
                json.dumps({"received_at": letter.received_at, "from": sender, "to": recipients})
            )
            self._letters.append(letter)
            self._bytes += len(raw)
            while len(self._letters) > self._most or (self._bytes > self._most_bytes and len(self._letters) > 1):
                self._drop(self._letters.pop(0))
            return letter

    def newest(self, *, to: str = "", limit: int = 1000) -> list[Letter]:
        """The letters to that address (all, if none is given), newest first."""
        with self._lock:
            letters = list(reversed(self._letters))
        if to:
            letters = [one for one in letters if to.casefold() in (address.casefold() for address in one.recipients)]
        return letters[:limit]

    def find(self, number: int) -> Letter | None:
        return next((letter for letter in self.newest(limit=self._most) if letter.number == number), None)

    def clear(self) -> int:
        with self._lock:
            count = len(self._letters)
            for letter in self._letters:
                self._drop(letter)
            self._letters = []
            return count

    def _drop(self, letter: Letter) -> None:
        self._bytes -= len(letter.raw)
        for suffix in (".json", ".eml"):
            self._stem(letter.number).with_suffix(suffix).unlink(missing_ok=True)

    def _stem(self, number: int) -> Path:
        return self._folder / f"{number:08d}"

    @staticmethod
    def _load(description: Path) -> Letter:
        about = json.loads(description.read_text())
        raw = description.with_suffix(".eml").read_bytes()
        return Letter(int(description.stem), about["received_at"], about["from"], tuple(about["to"]), raw)


def _headers(message: EmailMessage) -> list[tuple[str, str]]:
    """Decoded headers; one that the parser chokes on is shown as it was sent."""
    found = []
    for name, raw in message.raw_items():
        try:
            value = str(message.policy.header_fetch_parse(name, raw))
        except (ValueError, IndexError, AttributeError, LookupError):
            value = str(raw)
        found.append((name, value.encode("utf-8", "replace").decode()))
    return found


def _body(message: EmailMessage, kind: str) -> str:
    for part in message.walk():
        if part.get_content_type() == f"text/{kind}" and part.get_content_disposition() != "attachment":
            payload = part.get_payload(decode=True)
            content = payload if isinstance(payload, bytes) else b""
            try:
                text = content.decode(part.get_content_charset() or "utf-8", "replace")
            except LookupError:  # a charset that nobody knows
                text = content.decode("utf-8", "replace")
            return text.replace("\r\n", "\n")
    return ""


def _attachments(message: EmailMessage) -> list[dict[str, Any]]:
    found = []
    for part in message.walk():
        if part.get_content_disposition() in ("attachment", "inline") and not part.is_multipart():
            payload = part.get_payload(decode=True)
            size = len(payload) if isinstance(payload, bytes) else 0
            found.append({"filename": part.get_filename(), "type": part.get_content_type(), "size": size})
    return found
