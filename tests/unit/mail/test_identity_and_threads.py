"""Which mail is the same mail, which mails belong together, and the ids and numbers that tickets carry."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_mail import (
    conversation_root,
    identity,
    numbers_in_subject,
    plus_address,
    read,
    referenced_ids,
    sign_message_id,
    strip_subject,
    subject_tag,
    ticket_number,
    verify_message_id,
    verify_plus_address,
)

TICKET = "0123456789abcdef0123456789abcdef"
KEYS = {"2026": b"k" * 32, "2025": b"o" * 32}
_TICKETS = st.binary(min_size=16, max_size=16).map(bytes.hex)


def mail(body: bytes = b"Gr\xc3\xbc\xc3\x9fe\r\nAnn\r\n", encoding: bytes = b"8bit", subject: bytes = "Grüße".encode(), message_id: bytes = b"Message-ID: <1@example.org>\r\n", above: bytes = b"") -> bytes:  # fmt: skip
    return (
        above + b"From: Ann <ann@example.org>\r\nTo: s@acme.example\r\nSubject: " + subject + b"\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\n" + message_id
        + b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body
    )  # fmt: skip


def digest(raw: bytes) -> str:
    return identity(read(raw), raw)


def test_identity_is_hex_and_stable() -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", digest(mail()))
    assert digest(mail()) == digest(mail())


@pytest.mark.parametrize(
    "resent",
    [
        mail(b"Gr=C3=BC=C3=9Fe\r\nAnn\r\n", b"quoted-printable"),
        mail(base64.b64encode("Grüße\r\nAnn\r\n".encode()), b"base64"),
        mail(subject=b"=?utf-8?q?Gr=C3=BC=C3=9Fe?="),
        mail(subject=b"=?utf-8?B?" + base64.b64encode("Grüße".encode()) + b"?="),
        mail(above=b"Received: from a by b; Tue, 24 Nov 2026 12:05:00 +0000\r\nReturn-Path: <x@y>\r\n"),
        mail(b"Gr\xc3\xbc\xc3\x9fe  \r\nAnn\r\n\r\n"),
        mail().replace(b"\r\n", b"\n"),
        mail().replace(b"+0000", b"+0000 (UTC)"),
        mail().replace(b"12:00:00 +0000", b"13:00:00 +0100"),
    ],
)
def test_a_resend_is_the_same_mail(resent: bytes) -> None:
    assert digest(resent) == digest(mail())


@pytest.mark.parametrize(
    "other",
    [
        mail(b"Something else\r\n"), mail(subject=b"Other"), mail(message_id=b"Message-ID: <2@example.org>\r\n"), mail().replace(b"ann@", b"bob@"), mail().replace(b"12:00:00", b"12:00:01"),
    ],
)  # fmt: skip
def test_another_mail_is_another_even_with_the_same_message_id(other: bytes) -> None:
    assert digest(other) != digest(mail())


@pytest.mark.parametrize("message_id", [b"", b"Message-ID: \r\n", b"Message-ID: <>\r\n"])
def test_without_message_id_the_content_tells(message_id: bytes) -> None:
    first = mail(message_id=message_id)
    assert digest(first) == digest(b"Received: from a by b; Tue, 24 Nov 2026 12:05:00 +0000\r\n" + first)
    assert digest(first) != digest(mail(b"Other\r\n", message_id=message_id))
    assert digest(first) != digest(first.replace(b"To: s@", b"To: t@"))
    assert conversation_root(read(first)) == conversation_root(read(first))


def test_nothing_readable_is_known_by_its_bytes() -> None:
    assert digest(b"\x00\x01") != digest(b"\x00\x02\n\n")
    assert digest(b"") == digest(b"")
    bare = b"X-Anything: 1\r\n\r\n"
    assert digest(bare) == digest(b"Received: from a by b\r\n by c\r\n" + bare)
    assert digest(bare) != digest(b"X-Anything: 2\r\n\r\n")


def test_attachments_count() -> None:
    def attached(content: bytes, encoding: bytes = b"base64") -> bytes:
        return (
            b"From: a@b.example\r\nMessage-ID: <1@b>\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHi\r\n--b\r\nContent-Type: application/pdf\r\n"
            b"Content-Disposition: attachment; filename=a.pdf\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + content + b"\r\n--b--\r\n"
        )  # fmt: skip

    first = attached(base64.b64encode(b"one"))
    assert digest(first) == digest(attached(b"=6Fne", b"quoted-printable"))
    assert digest(first) != digest(attached(base64.b64encode(b"two")))


def test_references_nearest_first() -> None:
    raw = mail(above=b"References: <root@x> <mid@x> <parent@x>\r\nIn-Reply-To: <parent@x>\r\n")
    assert referenced_ids(read(raw)) == ("parent@x", "mid@x", "root@x")
    assert conversation_root(read(raw)) == "root@x"
    assert conversation_root(read(mail(above=b"In-Reply-To: <parent@x>\r\n"))) == "parent@x"
    assert conversation_root(read(mail())) == "1@example.org"
    assert referenced_ids(read(mail(above=b"In-Reply-To: <1@example.org>\r\n"))) == ()


@pytest.mark.parametrize(
    "subject",
    [
        "Re: Order", "RE: Order", "re[2]: Order", "Re(3): Order", "AW: Order", "Antw.: Order"[0:4] + ": Order", "WG: Order", "SV: Order", "VS: Order", "TR : Order", "RV: Order", "RES: Order", "ENC: Order", "Rif: Order", "R: Order",
        "Odp: Order", "PD: Order", "Ynt: Order", "İlt: Order"[0:0] + "Fwd: Order", "FW: Order", "回复: Order", "回复：Order", "答复: Order", "转发：Order", "返信: Order", "Отв: Order", "Ha: Order", "Re: AW: Fwd: Order", "  Re :  Order  ",
    ],
)  # fmt: skip
def test_subject_prefixes(subject: str) -> None:
    assert strip_subject(subject) == "Order"


@pytest.mark.parametrize(
    "subject",
    ["Order", "Reorder", "Result: fine", "Area: north", "Info: x", "Retour", "Window: broken", "Order re: 12", ""],
)
def test_subjects_without_prefix_stay(subject: str) -> None:
    assert strip_subject(subject) == subject


def test_subject_prefixes_without_end() -> None:
    assert len(strip_subject("Re: " * 100_000)) < 400_000


@given(_TICKETS)
def test_number_comes_back_from_a_subject(ticket: str) -> None:
    number = ticket_number(ticket)
    assert re.fullmatch(r"MR-[0-9A-HJKMNP-TV-Z]{8}", number)
    assert numbers_in_subject(f"AW: {subject_tag(ticket)} Order") == (number,)
    assert numbers_in_subject(f"order {number.lower()}, again {number}") == (number,)


@given(_TICKETS, st.integers(3, 10), st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
def test_one_wrong_character_is_no_number(ticket: str, place: int, char: str) -> None:
    number = ticket_number(ticket)
    wrong = number[:place] + char + number[place + 1 :]
    assert numbers_in_subject(wrong) == ((number,) if wrong == number else ())


@given(_TICKETS, st.integers(3, 9))
def test_two_swapped_characters_are_no_number(ticket: str, place: int) -> None:
    number = ticket_number(ticket)
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert numbers_in_subject(swapped) == ((number,) if swapped == number else ())


def test_read_aloud_letters() -> None:
    number = ticket_number(TICKET)
    assert numbers_in_subject(number.replace("0", "O").replace("1", "l")) == (number,)
    assert numbers_in_subject("MR-00000001 MR-1 XMR-00000000X") == ()


@given(_TICKETS, st.text(max_size=60))
def test_message_id_carries_the_ticket(ticket: str, local: str) -> None:
    made = sign_message_id(ticket, local, "acme.example", KEYS)
    before, _, domain = made.partition("@")
    assert len(before) <= 64
    assert domain == "acme.example"
    assert re.fullmatch(r"[a-z0-9.-]+", before)
    assert made == sign_message_id(ticket, local, "acme.example", KEYS)
    for form in (made, f"<{made}>", made.upper(), f" <{made}> "):
        assert verify_message_id(form, KEYS) == ticket


def test_keys_rotate() -> None:
    old = sign_message_id(TICKET, "m1", "acme.example", {"2025": KEYS["2025"]})
    assert verify_message_id(old, KEYS) == TICKET
    new = sign_message_id(TICKET, "m1", "acme.example", KEYS)
    assert verify_message_id(new, {"2025": KEYS["2025"]}) is None
    assert verify_message_id(new, {"2026": b"x" * 32}) is None
    assert verify_message_id(new, {}) is None


@given(st.integers(0, 100), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_changed_id_does_not_verify(place: int, char: str) -> None:
    made = sign_message_id(TICKET, "m1", "acme.example", KEYS)
    before, _, domain = made.partition("@")
    place %= len(before) - 1  # the last character has two spare bits
    changed = before[:place] + char + before[place + 1 :]
    found = verify_message_id(f"{changed}@{domain}", KEYS)
    assert found == (TICKET if changed == before else None)


@pytest.mark.parametrize(
    "other",
    [
        "",
        "x@y",
        "CAF+abc@mail.gmail.com",
        "a.b@c",
        "<>",
        "m1." + "a" * 43 + "@acme.example",
        "\x00",
        "m1." + "é" * 43 + "@acme.example",
        "m1." + "\u017f" * 43 + "@acme.example",
        "m1." + "\u212a" * 43 + "@acme.example",
    ],
)
def test_foreign_ids_are_not_ours(other: str) -> None:
    assert verify_message_id(other, KEYS) is None
    assert verify_plus_address(other, KEYS) is None


def test_plus_address() -> None:
    made = plus_address("support@acme.example", TICKET, KEYS)
    assert made.startswith("support+")
    assert len(made.partition("@")[0]) <= 64
    assert verify_plus_address(made, KEYS) == TICKET
    assert verify_plus_address(made.upper(), KEYS) == TICKET
    assert verify_plus_address(made.replace("support+", "sales+"), KEYS) is None
    assert verify_plus_address("support@acme.example", KEYS) is None
    token = made.partition("+")[2]
    assert verify_message_id(f"support.{token}", KEYS) is None  # one kind of token is not the other
    long = "a-very-long-name-of-a-department@acme.example"
    assert plus_address(long, TICKET, KEYS) == long


@pytest.mark.parametrize("ticket", ["", "x" * 32, TICKET.upper(), TICKET[:-1]])
def test_only_ticket_ids_are_signed(ticket: str) -> None:
    with pytest.raises(ValueError, match="ticket id"):
        sign_message_id(ticket, "m1", "acme.example", KEYS)


def test_a_key_is_needed_and_a_domain() -> None:
    with pytest.raises(ValueError, match="MAILROOM_MESSAGE_ID_KEYS"):
        sign_message_id(TICKET, "m1", "acme.example", {})
    with pytest.raises(ValueError, match="domain"):
        sign_message_id(TICKET, "m1", "acme.example>\r\nX: y", KEYS)
    with pytest.raises(ValueError, match="local@domain"):
        plus_address("nobody", TICKET, KEYS)
