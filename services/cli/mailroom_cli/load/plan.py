"""What a load run sends and when: decided before it starts, so that a slow system cannot slow the load down.

Latencies count from the moment a mail was *due*, not from when it could be sent (coordinated omission).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

_WORDS = [
    "order",
    "parcel",
    "invoice",
    "delivery",
    "address",
    "broken",
    "missing",
    "refund",
    "colour",
    "size",
    "thanks",
    "please",
    "when",
    "where",
    "today",
]


@dataclass(frozen=True, slots=True)
class LoadMail:
    """One mail of the run. `answers` is the Message-ID of the mail that it follows in the same conversation."""

    index: int
    due_s: float
    message_id: str
    sender: str
    recipient: str
    answers: str | None
    root: str


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """How much, how fast, to whom. `share_of_answers` of the mails belong to a conversation that is there already."""

    run: str
    rate: float
    count: int
    size: int
    recipients: Sequence[str]
    share_of_answers: float = 0.2
    customers: int = 1000

    def mails(self) -> Iterator[LoadMail]:
        """Every mail in the order of its due time; the same run id gives the same mails."""
        dice = random.Random(self.run)  # noqa: S311 - a reproducible plan, nothing secret
        open_conversations: list[LoadMail] = []
        for index in range(self.count):
            due = index / self.rate
            message_id = f"load-{self.run}-{index}@load.example"
            # an answer follows a mail that has had a second to become a ticket
            older = [m for m in open_conversations[:200] if due - m.due_s > 1.0]
            if older and dice.random() < self.share_of_answers:
                first = dice.choice(older)
                yield LoadMail(index, due, message_id, first.sender, first.recipient, first.message_id, first.root)
                continue
            sender = f"customer{dice.randrange(self.customers)}.{self.run}.{index}@load.example"
            mail = LoadMail(index, due, message_id, sender, dice.choice(self.recipients), None, message_id)
            open_conversations.append(mail)
            if len(open_conversations) > 400:
                del open_conversations[:200]
            yield mail

    def content(self, mail: LoadMail) -> bytes:
        """The mail's bytes, about `size` long: text and HTML, as ordinary mail has."""
        dice = random.Random(mail.message_id)  # noqa: S311 - reproducible
        subject = f"{'Re: ' if mail.answers else ''}About my {dice.choice(_WORDS)} {mail.root.split('@')[0]}"
        lines: list[str] = []
        room = max(200, (self.size - 900) // 2)
        while sum(map(len, lines)) < room:
            lines.append(" ".join(dice.choices(_WORDS, k=9)))
        text = "\r\n".join(lines)
        boundary = f"b-{mail.index}-{self.run}"
        threading = f"In-Reply-To: <{mail.answers}>\r\nReferences: <{mail.root}>\r\n" if mail.answers else ""
        date = format_datetime(datetime.now(UTC))
        return (
            f"From: Customer {mail.index} <{mail.sender}>\r\nTo: {mail.recipient}\r\nSubject: {subject}\r\n"
            f"Date: {date}\r\nMessage-ID: <{mail.message_id}>\r\n{threading}MIME-Version: 1.0\r\n"
            f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
            f"--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
            f"--{boundary}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<div>{'<br>'.join(lines)}</div>\r\n"
            f"--{boundary}--\r\n"
        ).encode()
