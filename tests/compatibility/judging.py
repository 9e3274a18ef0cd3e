"""What Mailroom makes of real mails: a row per server, program and desk, from the same code that runs in the services."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailroom_contracts import Address, DeliveryChanged, Reply, TicketState
from mailroom_mail import bounce_statuses, classify, compose, extract_reply, is_failure, read
from mailroom_outbound.composing import outgoing
from mailroom_router import standing
from mailroom_router.conversation import Known
from mailroom_router.quiet import is_quiet
from support.arriving import arrived, placed
from support.router_desk import NOW, book, command, report, routed, run
from support.router_world import mail


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; each column as right/of how many, or empty."""

    name: str
    version: str
    mails: int
    recognised: str = ""
    matched: str = ""
    state: str = ""
    quiet: str = ""
    threading: str = ""
    typed: str = ""

    def line(self) -> str:
        cells = (
            self.name,
            self.version,
            str(self.mails),
            self.recognised,
            self.matched,
            self.state,
            self.quiet,
            self.threading,
            self.typed,
        )
        return f"| {' | '.join(cells)} |"


HEAD = (
    "| server or program | version | mails | report recognised | recipient and our mail matched | state right | automatic answer recognised | our id found | typed text right |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "expect.jsonl").read_text().splitlines()]


def _of(values: Iterable[bool]) -> str:
    told = list(values)
    return f"{sum(told)}/{len(told)}" if told else ""


def recorded_servers(shared: Path) -> list[Row]:
    """The reports of ../shared/servers."""
    folder, found = shared / "servers", defaultdict(list)
    for row in _rows(folder):
        kind = classify(read((folder / row["file"]).read_bytes()), row["envelope_from"])
        bounce, told = kind.bounce, {}
        told["recognised"] = is_failure(bounce) is row["is_bounce"]
        if row["recipient"] and bounce is not None:
            who = [one.recipient for one in bounce.recipients] == row["recipient"]
            told["matched"] = who and "@shop.example" in (bounce.original_message_id or "")
            wanted = "delayed" if row["kind"] == "delay" else "failed"
            told["state"] = {one.action for one in bounce.recipients} == {wanted} and {
                s for s in row["status"] if s
            } <= set(bounce_statuses(bounce))
        if row["kind"] in ("vacation", "notice"):
            told["quiet"] = bool(kind.automatic_signs) is row["is_auto_reply"]
        found[row["server"], row["version"]].append(told)
    return [
        Row(
            name,
            version,
            len(every),
            *(_of(t[c] for t in every if c in t) for c in ("recognised", "matched", "state", "quiet")),
        )
        for (name, version), every in sorted(found.items())
    ]


def recorded_programs(shared: Path) -> list[Row]:
    """The mails of ../shared/programs and webmail: what the person typed, and the id of ours that it answers."""
    found: dict[tuple[str, str], list[dict[str, bool]]] = defaultdict(list)
    for folder in (shared / "programs", shared / "webmail"):
        for row in _rows(folder):
            message = read((folder / row["file"]).read_bytes())
            told: dict[str, bool] = {}
            action = row.get("action", "reply")
            if row.get("typed") and action.startswith("reply"):
                told["typed"] = _bare(row["typed"]) == _bare(extract_reply(message).text or "")
            stated = row.get("answers") or row.get("in_reply_to") or ""
            answers = next(iter([stated] if isinstance(stated, str) else stated), "").strip("<>")
            if answers and action.startswith(("reply", "mdn")):
                receipt = classify(message).receipt_of
                told["threading"] = answers in (*message.in_reply_to, *message.references, *receipt)
            name = row.get("program") or row.get("client") or row["file"].partition("-")[0]
            found[name, row.get("version", "")].append(told)
    return [
        Row(
            name,
            version,
            len(every),
            threading=_of(t["threading"] for t in every if "threading" in t),
            typed=_of(t["typed"] for t in every if "typed" in t),
        )
        for (name, version), every in sorted(found.items())
    ]


def recorded_desks(shared: Path) -> list[Row]:
    """The mails of ../shared/desks that came after our answers: shown quietly, a failed delivery, or a person's word."""
    found: dict[str, list[bool]] = defaultdict(list)
    for row in _rows(shared / "desks"):
        if row["belongs_by"] == "new":
            continue
        content = arrived((shared / "desks" / row["file"]).read_bytes(), row["mail_from"]).content
        person = content.bounce is None and not is_quiet(content, answers_us=row["belongs_by"] == "signed")
        found[row["what"].split()[0]].append(person is row["person"])
    return [Row(name, "", len(every), quiet=_of(every)) for name, every in sorted(found.items())]


def _bare(text: str) -> str:
    return "".join(text.split())


@dataclass(slots=True)
class Conversation:
    """A ticket with our answer to one customer (and one in Cc), as a server is to carry it."""

    state: TicketState
    raw: bytes
    recipients: tuple[str, ...]

    @classmethod
    def with_answer(cls, *recipients: str) -> Conversation:
        """`recipients`: the customer first."""
        state = run(None, routed(mail(f"q-{recipients[0]}", at=NOW, sender=recipients[0]), address="ad3")).state
        assert state is not None
        reply = command(
            Reply, state, text="It left today.", from_address_id="ad3", cc=[{"email": one} for one in recipients[1:]]
        )
        decision = run(state, reply)
        (order,) = decision.orders
        address = book().address("ad3")
        assert isinstance(address, Address)
        assert decision.state is not None
        sent = run(decision.state, report(decision.state, order.id, "sent")).state
        assert sent is not None
        return cls(sent, compose(outgoing(order, address, (), ())), recipients)

    def take(self, mail_from: str, raw: bytes) -> bool | None:
        """A report that came back: True when it changed how this message stands, None when it is not about it."""
        received = arrived(raw, mail_from)
        one = placed(received, Known())
        if received.content.bounce is None or one.ticket_id != self.state.id:
            return None
        decision = run(self.state, one)
        assert decision.state is not None
        self.state = decision.state
        return any(isinstance(e, DeliveryChanged) for e in decision.events)

    def holds(self, mail_from: str, raw: bytes) -> bool:
        """Whether a mail that came back goes to this ticket by what it says itself."""
        return placed(arrived(raw, mail_from), Known()).ticket_id == self.state.id

    def outcomes(self) -> dict[str, str]:
        """Each recipient's state."""
        message = next(m for m in reversed(self.state.messages) if m.direction == "out")
        return {one.recipient: one.state for one in standing.of_message(message)}

    def reasons(self) -> list[str]:
        """What is said to people of those whom it did not reach."""
        message = next(m for m in reversed(self.state.messages) if m.direction == "out")
        return [one.reason or "" for one in standing.of_message(message) if one.state in standing.TROUBLE]
