"""Kind, reply and identity of anything at all: they give a result, and a quick one."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mailroom_mail import (
    bounce_statuses,
    classify,
    conversation_root,
    extract_reply,
    identity,
    read,
    referenced_ids,
    strip_subject,
)

_PIECES = [
    b"From: MAILER-DAEMON\r\n", b"From: Ann <ann@example.org>\r\n", b"Subject: Undeliverable: x\r\n", b"Subject: Re: x\r\n", b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n",
    b"Content-Type: text/html\r\n", b"--b\r\n", b"--b--\r\n", b"Content-Type: message/delivery-status\r\n", b"Content-Type: message/rfc822\r\n", b"Final-Recipient: rfc822;\r\n", b"Final-Recipient: x; a@b.example\r\n",
    b"Action: \xff\r\n", b"Status: 5.1.1\r\n", b"Status:\r\n", b"Diagnostic-Code: smtp; 550\r\n", b"Message-ID: <>\r\n", b"Message-ID: <a@b>\r\n", b"References: <a@b> <\r\n", b"\r\n", b"\r\n", b"{\"notificationType\":\"Bounce\"",
    b"{\"notificationType\":\"Bounce\",\"bounce\":{\"bouncedRecipients\":[1]}}", b"could not be delivered 550 5.1.1\r\n", b"<div class=\"gmail_quote\">", b"<blockquote>", b"</blockquote>", b"On Mon, 5 Jan 2026, Ann <a@b.example> wrote:\r\n", b"> x\r\n",
    b"X-Failed-Recipients: a@b.example, \xff\r\n", b"Received: for <\r\n", b"X-Forwarded-For: \r\n", b"Auto-Submitted: ;\r\n", b"Return-Path: \r\n", b"\x00", b"\xff\xfe", b"Precedence: \xe9\r\n",
]  # fmt: skip


def everything(raw: bytes) -> None:
    mail = read(raw)
    kind = classify(mail, None)
    bounce_statuses(kind.bounce)
    extract_reply(mail)
    assert len(identity(mail, raw)) == 32
    assert conversation_root(mail)
    referenced_ids(mail)
    strip_subject(mail.subject)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=25).map(b"".join))
def test_pieces_of_mails(raw: bytes) -> None:
    everything(raw)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes(raw: bytes) -> None:
    everything(raw)


@pytest.mark.parametrize("seed", range(5))
def test_long_mixtures_stay_quick(seed: int) -> None:
    chosen = random.Random(seed)
    raw = b"From: Mailer-Daemon\r\nSubject: Undeliverable\r\n\r\n" + b"".join(chosen.choices(_PIECES, k=20_000))
    mail = read(raw)
    start = time.process_time()
    classify(mail)
    extract_reply(mail)
    identity(mail, raw)
    assert time.process_time() - start < 3.0
