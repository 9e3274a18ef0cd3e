"""From bytes to email.received: nothing is refused, everything large is stored, the record fits."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mailroom_contracts import Content, EmailReceived, Envelope, GmailOrigin, Person, Verdicts, decode, encode, topics
from mailroom_runtime import intake
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.bus.fitting import cut, fit, json_size, share
from mailroom_runtime.intake import normalise

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


async def taken(raw: bytes, store: BlobStore, **changes: Any) -> EmailReceived:
    values: dict[str, Any] = {
        "blobs": store,
        "portal_id": "p1",
        "envelope": Envelope(mail_from="jo@c.example", rcpt_to=["support@acme.example"]),
        "address_ids": ["a1"],
        "source": "smtp",
        "received_at": NOW,
        **changes,
    }
    return await normalise(raw, **values)


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(str(tmp_path))


async def test_attachments_and_raw_are_references(store: BlobStore) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Jo <jo@c.example>", "support@acme.example", "Files"
    mail["X-Mailroom-Id"], mail["References"] = "<x.y@acme.example>", "<a@c.example> <b@c.example>"
    mail.set_content("see\n")
    mail.add_attachment(b"%PDF" + bytes(range(256)), maintype="application", subtype="pdf", filename="Öl.pdf")
    raw = mail.as_bytes()
    event = await taken(raw, store)
    (attachment,) = event.content.attachments
    assert (attachment.filename, attachment.content_type) == ("Öl.pdf", "application/pdf")
    assert await store.get(attachment.blob) == b"%PDF" + bytes(range(256))
    assert await store.get(event.raw) == raw
    assert event.raw.sha256 == hashlib.sha256(raw).hexdigest()
    assert event.content.mailroom_id == "x.y@acme.example"
    assert event.content.references == ["a@c.example", "b@c.example"]
    record = encode(topics.EMAIL_RECEIVED, event, source="test")
    assert decode(topics.EMAIL_RECEIVED, record.value, record.headers) == event


async def test_the_receipt_depends_on_mail_and_recipients_only(store: BlobStore) -> None:
    raw = b"From: jo@c.example\r\nSubject: x\r\nMessage-ID: <1@c>\r\n\r\ntext\r\n"
    first = await taken(raw, store)
    again = await taken(raw, store, received_at=datetime(2027, 1, 1, tzinfo=UTC))
    other = await taken(raw, store, envelope=Envelope(rcpt_to=["support@acme.example", "sales@acme.example"]))
    assert first.id == again.id != other.id
    assert first.identity == other.identity


@pytest.mark.parametrize(
    ("headers", "changes", "spam"),
    [
        ("", {}, False),
        ("X-Spam-Flag: YES\r\n", {}, False),
        ("X-Spam-Flag: YES\r\n", {"trusted_front": True}, True),
        ("X-Spam-Flag: NO\r\n", {"trusted_front": True}, False),
        ("", {"verdicts": Verdicts(dmarc="fail", dmarc_policy="reject")}, True),
        ("", {"verdicts": Verdicts(dmarc="fail", dmarc_policy="quarantine")}, False),
        ("", {"verdicts": Verdicts(dmarc="pass", dmarc_policy="reject")}, False),
        ("", {"gmail": GmailOrigin(address_id="a", message_id="m", thread_id="t", label_ids=["SPAM"])}, True),
    ],
)
async def test_what_counts_as_spam(store: BlobStore, headers: str, changes: dict[str, Any], spam: bool) -> None:
    raw = f"From: jo@c.example\r\n{headers}Subject: x\r\n\r\ntext\r\n".encode()
    assert (await taken(raw, store, **changes)).content.spam is spam


async def test_a_fault_in_reading_loses_no_mail(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(raw: bytes) -> Any:
        raise RecursionError("too deep")

    monkeypatch.setattr(intake, "read", broken)
    event = await taken(b"Subject: x\r\n\r\n\xff text\r\n", store)
    assert event.content.defects == ["unreadable:RecursionError"]
    assert "text" in event.content.text
    assert await store.get(event.raw) == b"Subject: x\r\n\r\n\xff text\r\n"
    assert event.id == (await taken(b"Subject: x\r\n\r\n\xff text\r\n", store)).id


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=2000))
async def test_any_bytes_become_a_record_that_can_be_read_back(store: BlobStore, raw: bytes) -> None:
    event = await taken(raw, store)
    record = encode(topics.EMAIL_RECEIVED, event, source="test")
    assert decode(topics.EMAIL_RECEIVED, record.value, record.headers) == event
    assert await store.get(event.raw) == raw


async def test_long_bodies_are_whole_in_the_store(store: BlobStore) -> None:
    html = "<p>" + "ü" * 150_000 + "</p>"
    text = "ein Satz " * 20_000
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "jo@c.example", "long"
    mail.set_content(text)
    mail.add_alternative(html, subtype="html")
    event = await taken(mail.as_bytes(), store, inline_limit=60_000)
    assert json_size(event) <= 60_000
    assert event.content.text_ref is not None
    assert event.content.html_ref is not None
    assert (await store.get(event.content.text_ref)).decode().strip() == text.strip()
    assert (await store.get(event.content.html_ref)).decode().strip() == html
    assert event.content.text
    assert text.startswith(event.content.text[:1000])


TEXT = st.text(st.sampled_from('aä€😀"\\\x01\n'), max_size=400)


@given(TEXT, st.integers(0, 1500))
def test_a_cut_is_the_longest_beginning_that_fits(text: str, size: int) -> None:
    short = cut(text, size)
    assert text.startswith(short)
    assert json_size(short) <= size or not short
    if short != text and size >= 2:
        assert json_size(text[: len(short) + 1]) > size


@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, 1000), min_size=1), st.integers(0, 2000))
def test_shares_are_fair_and_use_what_there_is(wanted: dict[str, int], total: int) -> None:
    dealt = share(wanted, total)
    assert sum(dealt.values()) <= total
    assert all(dealt[name] <= wanted[name] for name in wanted)
    if sum(wanted.values()) <= total:
        assert dealt == wanted
    else:
        assert total - sum(dealt.values()) < len(wanted)


@settings(max_examples=50, deadline=None)
@given(TEXT, TEXT, st.integers(0, 3000), st.integers(10_000, 60_000), st.integers(1, 60))
def test_whatever_is_fitted_fits(text: str, html: str, people: int, limit: int, times: int) -> None:
    box = Person(email="someone@customer.example", name="Some One")
    event = EmailReceived(
        id="x", identity="y", portal_id="p1", source="smtp", received_at=NOW, envelope=Envelope(rcpt_to=["a@b.example"]),
        size=1, raw={"key": "k", "size": 1},
        content=Content(text=text * times, html=html * times, reply_text=text, to=[box] * people, subject=text * times,
                        references=["r@x"] * people),
    )  # fmt: skip
    fitted = fit(event, limit)
    assert json_size(fitted.event) <= limit
    assert fitted.cut.text == (fitted.event.content.text != event.content.text)
    if fitted.event.content.to != event.content.to:
        assert "cut:to" in fitted.event.content.defects
