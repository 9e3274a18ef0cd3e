"""A mail of 25 MB, whatever it is made of, holds no other conversation up."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
import smtplib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mailroom_ingest_smtp.app import app
from mailroom_ingest_smtp.settings import IngestSmtpSettings
from mailroom_runtime.process.service import Service
from support.doubling import busy
from support.loop_turns import LONGEST_S, turns
from support.processes import free_port
from support.waiting import eventually

from .conftest import configuration, publish

LARGE = 25 << 20
HEAD = "From: Jo <jo@customer.example>\r\nTo: support@acme.example\r\nSubject: My order\r\nMIME-Version: 1.0\r\n"
LINE = "Grüße aus Köln: the parcel has not come, and the tracking number says nothing.\r\n"


def _filled(unit: str, head: str, tail: str = "") -> bytes:
    return f"{head}{unit * (LARGE // len(unit.encode()))}{tail}".encode()


def _file() -> bytes:
    content = base64.encodebytes(random.Random(1).randbytes(LARGE * 3 // 4)).replace(b"\n", b"\r\n")
    parts = 'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\n'
    named = 'Content-Type: application/pdf; name="x.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    return (HEAD + parts + named).encode() + content + b"--b--\r\n"


MAILS = {
    "a file": _file(),
    "text": _filled(LINE, HEAD + "Content-Type: text/plain; charset=utf-8\r\n\r\n"),
    "html": _filled(f"<p class='x'>{LINE}</p>", HEAD + "Content-Type: text/html; charset=utf-8\r\n\r\n<html>"),
    "lines that begin with a dot": _filled("." + LINE, HEAD + "\r\n"),
    "no line end": _filled("x" * 900 + "\r\n", HEAD + "\r\n"),
    "recipients": _filled("someone@customer.example,\r\n ", HEAD + "Cc: ", "jo@customer.example\r\n\r\nHello\r\n"),
    "files": _filled('--b\r\nContent-Disposition: attachment; filename="x"\r\n\r\nx\r\n',
                     HEAD + 'Content-Type: multipart/mixed; boundary="b"\r\n\r\n', "--b--\r\n"),
}  # fmt: skip


@pytest.fixture
async def smtp_port(kafka: str, topics: str, tmp_path: Path) -> AsyncIterator[int]:
    """An intake on this test's own loop."""
    await publish(kafka, topics, configuration())
    settings = IngestSmtpSettings(
        kafka=kafka, topic_prefix=topics, data=tmp_path, smtp_port=free_port(), lmtp_port=0, smtp_bare_newlines="refuse"
    )
    service: Service[IngestSmtpSettings] = Service("ingest_smtp", settings)
    task = asyncio.create_task(app(service))
    try:
        await eventually(lambda: task.done() or service.health.ready, 30, what="the intake being ready")
        yield settings.smtp_port
    finally:
        service.stopping.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 20)


def _send(port: int, raw: bytes) -> tuple[int, bytes]:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="client.example", timeout=60) as client:
        client.ehlo()
        client.mail("jo@customer.example")
        assert client.rcpt("support@acme.example")[0] == 250
        return client.data(raw)


async def test_a_large_mail_holds_nobody_up(smtp_port: int) -> None:
    held_up = {}
    for what, raw in MAILS.items():
        longest = float("inf")
        for again in range(2):  # what is compiled and started once holds nobody up twice
            async with turns() as took:
                code, said = await asyncio.to_thread(_send, smtp_port, b"X-Try: %d\r\n" % again + raw)
                await asyncio.sleep(0)
            assert code == 250, (what, said)
            longest = min(longest, max(took))
        if longest > LONGEST_S * busy():
            held_up[what] = f"{longest * 1000:.0f} ms"
    assert held_up == {}
