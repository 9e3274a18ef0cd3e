"""Servers that fall silent, at each step of a transaction: how long they are waited for, and what may have arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import aiosmtplib
import pytest
from mailroom_contracts import LaneEntry, OutboundMail, Person
from mailroom_outbound import lane
from mailroom_outbound.courier import Deferred, Delivered, Hold, Letter
from mailroom_outbound.schedule import Policy
from mailroom_outbound.session import ConnectionBroken, Session, Waits
from mailroom_outbound.session_pool import SessionPool
from mailroom_outbound.smtp import transaction

QUICK = Waits(answer=0.3, data=0.3, piece=0.3, final=0.3)
RAW = b"Subject: x\r\n\r\n" + b"y" * 70 + b"\r\n"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Server:
    """Does as it should up to `silent_at` (a word of SMTP; "." is the end of the mail; "mid" within it)."""

    def __init__(
        self, *, silent_at: str = "", hangs_up: bool = False, pause_s: float = 0.0, says_too_much: bool = False,
        pipelining: bool = True,
    ) -> None:  # fmt: skip
        self.silent_at, self.hangs_up, self.pause_s = silent_at, hangs_up, pause_s
        self.says_too_much, self.pipelining = says_too_much, pipelining
        self.mails: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._session(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client gave up, which is what is tested
        finally:
            writer.close()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        while line := (await reader.readline()).decode().strip():
            if line.startswith("EHLO"):
                writer.write(b"250-x\r\n250 PIPELINING\r\n" if self.pipelining else b"250 x\r\n")
                continue
            if self.silent_at and line.startswith(self.silent_at):
                if not self.hangs_up:
                    await reader.read(-1)
                return
            if line != "DATA":
                writer.write(b"250 ok\r\n")
                continue
            writer.write(b"354 go\r\n")
            if self.silent_at == "mid":
                await asyncio.Event().wait()
            content = bytearray()
            while not content.endswith(b"\r\n.\r\n"):
                content += await reader.readexactly(1) if not self.pause_s else await self._slowly(reader)
            self.mails.append(bytes(content))
            if self.silent_at == ".":
                if not self.hangs_up:
                    await reader.read(-1)
                return
            writer.write(b"250 taken\r\n" + (b"250 taken twice\r\n" if self.says_too_much else b""))

    async def _slowly(self, reader: asyncio.StreamReader) -> bytes:
        await asyncio.sleep(self.pause_s)
        return await reader.read(100_000)


async def _connected(port: int) -> Session:
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False, local_hostname="test")
    await client.connect()
    await client.ehlo()
    return Session.over(client)


async def _with(server: Server, use: Callable[[int], Awaitable[object]]) -> object:
    # no more in flight than a slow network has: what the client wrote is not what the server took
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=1024)
    try:
        async with asyncio.timeout(20):
            return await use(listening.sockets[0].getsockname()[1])
    finally:
        listening.close()


async def _sent(server: Server, raw: bytes = RAW, waits: Waits = QUICK) -> object:
    async def use(port: int) -> object:
        session = await _connected(port)
        try:
            return await transaction(session, Letter(raw, "s@a.example", ("a@c.example",)), raw, waits)
        finally:
            session.close()

    return await _with(server, use)


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("hangs_up", [True, False])
@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "."])
async def test_only_after_the_dot_it_may_have_arrived(step: str, hangs_up: bool, pipelining: bool) -> None:
    server = Server(silent_at=step, hangs_up=hangs_up, pipelining=pipelining)
    if step == ".":
        outcome = await _sent(server)
        assert isinstance(outcome, Deferred)
        assert outcome.uncertain
        assert outcome.hold is Hold.LANE
        assert len(server.mails) == 1
    else:
        with pytest.raises(ConnectionBroken):
            await _sent(server)
        assert server.mails == []


async def test_a_long_upload_is_judged_by_its_progress() -> None:
    raw = b"Subject: x\r\n\r\n" + b"y" * 15_000_000 + b"\r\n"
    waits = Waits(answer=1.0, data=1.0, piece=0.5, final=10.0)
    began = asyncio.get_running_loop().time()
    assert isinstance(await _sent(Server(pause_s=0.01), raw, waits), Delivered)
    assert asyncio.get_running_loop().time() - began > waits.piece, "longer in all than any single wait"
    with pytest.raises(ConnectionBroken, match="took nothing"):
        await _sent(Server(silent_at="mid"), raw, waits)


async def test_the_waits_are_those_of_rfc_5321() -> None:
    waits = Waits()
    assert (waits.answer, waits.data, waits.piece, waits.final) == (300, 120, 180, 600)


async def test_a_session_with_an_unread_answer_is_not_used_again() -> None:
    server = Server(says_too_much=True)

    async def use(port: int) -> None:
        pool = SessionPool(lambda: _connected(port), 1)
        for number in range(3):
            async with pool.session() as session:
                raw = RAW + str(number).encode()
                outcome = await transaction(session, Letter(raw, "s@a.example", ("a@c.example",)), raw, QUICK)
                assert isinstance(outcome, Delivered)
                assert outcome.server_reply.startswith("250 taken"), "its own answer"
        await pool.close()

    await _with(server, use)
    assert server.connections == 3
    assert len(server.mails) == 3
    quiet = Server()
    server = quiet
    await _with(server, use)
    assert server.connections == 1


def _entry() -> LaneEntry:
    order = OutboundMail(
        id="o1", portal_id="p1", ticket_id="t1", message_id="m1", address_id="ad3", kind="reply", created_at=NOW,
        to=[Person(email="jo@customer.example")],
    )  # fmt: skip
    return lane.queued(order, NOW)


def test_a_mail_that_may_have_arrived_is_sent_once_more_at_most_and_says_so() -> None:
    policy, now, entry = Policy(), NOW, _entry()
    silent = Deferred("The server did not answer within 600 s.", Hold.LANE, retry_after_s=5, uncertain=True)
    said: list[str] = []
    while True:
        step = lane.conclude(lane.begin(entry, now), silent, policy=policy, now=now)
        assert step.report is not None
        said.append(step.report.reason or "")
        if step.entry is None:
            assert step.report.state == "failed"
            break
        assert step.entry.next_at is not None
        assert step.entry.next_at - now >= timedelta(seconds=policy.uncertain_s), "not with the lane's short pause"
        entry, now = step.entry, step.entry.next_at
    assert len(said) == 2, "two copies at most"
    assert all("may have arrived" in words for words in said)
    assert "once more" in said[0]
    assert "not sent again" in said[1]


def test_other_trouble_in_between_does_not_make_it_certain() -> None:
    policy, now, entry = Policy(), NOW, _entry()
    silent = Deferred("silence", Hold.LANE, uncertain=True)
    busy = Deferred("421 busy", Hold.LANE, retry_after_s=5)
    ends = 0
    for outcome in (silent, busy, busy, silent):
        step = lane.conclude(lane.begin(entry, now), outcome, policy=policy, now=now)
        if step.entry is None:
            ends += 1
            break
        entry = step.entry
    assert ends == 1
    assert entry.uncertain == 1


def test_a_cancelled_mail_that_may_have_arrived_says_so() -> None:
    entry = lane.begin(_entry(), NOW).model_copy(update={"cancel": True})
    step = lane.conclude(entry, Deferred("silence", uncertain=True), policy=Policy(), now=NOW)
    assert step.entry is None
    assert step.report is not None
    assert step.report.state == "cancelled"
    assert "may have arrived" in (step.report.reason or "")
