"""The fault *refuses a record*: the console's database will not have one marked mail, whatever is tried.

While it does so the mail must be shown under *Activity* as a dead letter, and what follows in the same ticket as ever.
"""

from __future__ import annotations

import contextlib
import smtplib
import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from mailroom_console.storage.read_schema import GENERATIONS
from support.waiting import wait_until

RECIPIENT = "support@acme.example"
SHOWN_WITHIN_S = 30.0


@dataclass
class Refusal:
    """One such fault, in the books: the Message-IDs of the marked mail and of the one behind it, and what went wrong."""

    marked: str
    behind: str
    wrong: list[str] = field(default_factory=list)


class RefusedRecord:
    """Does it to a stack whose console keeps its read model in SQLite."""

    def __init__(self, database: Path, smtp_port: int, api: httpx.Client) -> None:
        self._database, self._smtp_port, self._api = database, smtp_port, api
        self.refusals: list[Refusal] = []

    def begin(self) -> Callable[[], None]:
        """Refuse from now on what bears a mark, and send such a mail with another behind it.

        What is given back looks at what became of them, then lets the database take all, and replays the dead letter.
        """
        mark = f"mark{uuid.uuid4().hex[:12]}"
        refusal = Refusal(f"{mark}@load.example", f"behind-{mark}@load.example")
        self.refusals.append(refusal)
        refused = f"refuse-{mark}"
        self._triggers(
            lambda table: (
                f"CREATE TRIGGER chaos_{table} BEFORE INSERT ON {table} WHEN instr(NEW.document, '{refused}') "
                "BEGIN SELECT RAISE(ABORT, 'chaos refuses this record'); END"
            )
        )
        self._send(_mail(mark, refusal.marked, refused))
        self._send(_mail(mark, refusal.behind, "and one more question", answers=refusal.marked))
        return lambda: self._end(mark, refusal)

    def _end(self, mark: str, refusal: Refusal) -> None:
        letters: list[str] = []

        def aside() -> bool:
            letters[:] = self._dead_letters(f"refuse-{mark}")
            return bool(letters)

        for check, wrong in (
            (aside, "not under Activity"),
            (lambda: self._shown(mark, refusal.behind), "what is behind it is not shown"),
        ):
            try:
                wait_until(check, SHOWN_WITHIN_S, every=0.3)
            except AssertionError:
                refusal.wrong.append(wrong)
        self._triggers(lambda table: f"DROP TRIGGER chaos_{table}")
        for letter in letters:
            self._api.post(f"/dead-letters/{letter}/replay").raise_for_status()

    def _triggers(self, statement: Callable[[str], str]) -> None:
        with contextlib.closing(sqlite3.connect(self._database, timeout=20)) as connection, connection:
            for tables in GENERATIONS:
                connection.execute(statement(tables.messages.name))

    def _send(self, mail: str) -> None:
        def sent() -> bool:
            try:
                with smtplib.SMTP("127.0.0.1", self._smtp_port, timeout=30) as client:
                    client.sendmail("marked@load.example", [RECIPIENT], mail)
            except (smtplib.SMTPException, OSError):  # "later", as after another fault
                return False
            return True

        wait_until(sent, 60, every=1, what="a mail being accepted")

    def _dead_letters(self, mark: str) -> list[str]:
        """The ids of those whose record bears the mark."""
        try:
            listed = (
                self._api.get("/dead-letters", params={"topic": "ticket.events"}).raise_for_status().json()["items"]
            )
            return [
                each["id"]
                for each in listed
                if mark in self._api.get(f"/dead-letters/{each['id']}").raise_for_status().json()["value"]
            ]
        except httpx.HTTPError:
            return []

    def _shown(self, mark: str, message_id: str) -> bool:
        """Whether the ticket with the mark in its subject shows this message."""
        try:
            for item in self._api.get("/tickets", params={"q": mark}).raise_for_status().json()["items"]:
                ticket = self._api.get(f"/tickets/{item['id']}").raise_for_status().json()
                return message_id in {message["message_id"] for message in ticket["messages"]}
        except httpx.HTTPError:
            return False
        return False


def _mail(mark: str, message_id: str, text: str, answers: str | None = None) -> str:
    threading = f"In-Reply-To: <{answers}>\r\nReferences: <{answers}>\r\n" if answers else ""
    return (
        f"From: Marked <marked-{mark}@load.example>\r\nTo: {RECIPIENT}\r\nSubject: About {mark}\r\n"
        f"Message-ID: <{message_id}>\r\n{threading}\r\n{text}\r\n"
    )
