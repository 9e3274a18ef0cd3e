"""Where a mail ends, what is unstuffed, and every way of smuggling."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mailroom_ingest_smtp.mail_data import MailData, has_bare_newlines

LIMIT = 1_000_000


def stuffed(content: bytes) -> bytes:
    """As a client sends it (RFC 5321 section 4.5.2)."""
    return (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


def take(data: bytes, cuts: list[int] | None = None, limit: int = LIMIT) -> tuple[MailData, bytes | None]:
    """Feed it in pieces; the mail and what followed it."""
    mail = MailData(limit)
    places = sorted({min(cut, len(data)) for cut in cuts or []} | {0, len(data)})
    pieces = [data[a:b] for a, b in pairwise(places)] or [data]
    for number, piece in enumerate(pieces):
        rest = mail.feed(piece)
        if rest is not None:
            return mail, rest + b"".join(pieces[number + 1 :])
    return mail, None


LINES = st.lists(
    st.sampled_from([b"", b".", b"..", b".a", b"a.", b"text", b"\x00", b"a" * 2000, "ü".encode()]), max_size=12
)


@given(LINES, st.lists(st.integers(0, 6000), max_size=6), st.sampled_from([b"", b"QUIT\r\n", b".\r\n", b"\r\n.\r\n"]))
def test_a_mail_arrives_as_it_was_whatever_the_pieces(lines: list[bytes], cuts: list[int], after: bytes) -> None:
    content = b"".join(line + b"\r\n" for line in lines)
    mail, rest = take(stuffed(content) + after, cuts)
    assert rest == after
    assert not mail.smuggling
    assert mail.content() == content
    assert not mail.too_big


def test_an_empty_mail() -> None:
    mail, rest = take(b".\r\nNOOP\r\n")
    assert (mail.content(), rest) == (b"", b"NOOP\r\n")


TRICKS = [
    b"\n.\n", b"\n.\r\n", b"\r.\r\n", b"\r.\r", b"\n.\r", b"\r.\n", b"\r\n.\n", b"\r\n.\r", b"\r\n.\rx",
    b"\n\x00.\r\n", b"\r\n\x00.\r\n", b"\r\n.\x00\r\n", b"\r\r\n.\n", b"\n.\r\r\n",
]  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS, ids=repr)
@pytest.mark.parametrize("cut", [None, *range(5, 12)])
def test_no_other_end_is_taken_and_each_is_noticed(trick: bytes, cut: int | None) -> None:
    data = b"first" + trick + b"MAIL FROM:<evil@x.example>\r\n.\r\n"
    mail, rest = take(data, None if cut is None else [cut])
    assert rest == b""
    assert mail.smuggling


@pytest.mark.parametrize("start", [b".\n", b".\r", b".\x00\r\n"], ids=repr)
def test_tricks_in_the_first_line(start: bytes) -> None:
    mail, rest = take(start + b"x\r\n.\r\n")
    assert rest == b""
    assert mail.smuggling


@pytest.mark.parametrize("trick", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r"], ids=repr)
def test_a_trick_is_known_before_the_mail_ends(trick: bytes) -> None:
    mail, rest = take(b"text" + trick)
    assert rest is None
    assert mail.smuggling


@given(st.binary(max_size=200), st.lists(st.integers(0, 220), max_size=4))
@example(b"\r\n.\r", [])
@example(b"a\r\n.\r\nb", [3, 4, 5])
def test_the_end_is_only_the_true_end(data: bytes, cuts: list[int]) -> None:
    whole = data + b"\r\n.\r\n"
    mail, rest = take(whole, cuts)
    place = (b"\r\n" + whole).index(b"\r\n.\r\n")
    assert rest == (b"\r\n" + whole)[place + 5 :]
    expected = (b"\r\n" + whole)[: place + 2].replace(b"\r\n.", b"\r\n")[2:]
    assert mail.content() == expected


@given(st.lists(st.sampled_from([b"a", b"\n", b"\n", b"ab"]), max_size=30))
def test_lone_line_feeds_away_from_dots_are_kept(pieces: list[bytes]) -> None:
    content = b"".join(pieces) + b"\r\n"
    mail, _ = take(stuffed(content))
    assert not mail.smuggling
    assert mail.content() == content
    assert has_bare_newlines(content) == (content.count(b"\n") > 1)


def test_size_counts_the_mail_and_not_its_stuffed_dots() -> None:
    content = b".\r\n" * 1000
    for limit, fits in ((len(content), True), (len(content) - 1, False)):
        mail, rest = take(stuffed(content), limit=limit)
        assert rest == b""
        assert mail.content() == (content if fits else b"")
        assert mail.too_big is not fits


def test_what_is_too_big_is_not_kept_in_memory() -> None:
    mail = MailData(10_000)
    most = 0
    for _ in range(100):
        assert mail.feed(b"x" * 9998 + b"\r\n") is None
        most = max(most, mail.held)
    assert mail.feed(b".\r\n") == b""
    assert most < 10_000 + 65_536 + 10_000 + 10
    assert mail.content() == b""
    assert mail.too_big


def test_bare_newlines() -> None:
    assert not has_bare_newlines(b"a\r\nb\r\n")
    assert has_bare_newlines(b"a\nb\r\n")
    assert has_bare_newlines(b"a\rb\r\n")
