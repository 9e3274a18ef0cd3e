"""Mails in pieces (message/partial): what each says, and the whole out of all of them (RFC 2046 section 5.2.2)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mailroom_mail import conversation_root, read
from mailroom_mail.reading import fragments

WHOLE = (
    b"From: Kim <kim@example.org>\r\nTo: support@acme.example\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\nSubject: Pictures\r\nMessage-ID: <whole@example.org>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHere they are.\r\n\r\nKim\r\n--b\r\n"
    b"Content-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + b"iVBORw0KGgoAAAAN\r\n" * 40
    + b"--b--\r\n"
)


def split(cuts: list[int], *, totals: bool = True, name: str = "all@example.org") -> list[bytes]:
    """The pieces as a sender makes them; `cuts` are numbers of lines."""
    lines = WHOLE.splitlines(keepends=True)
    outer = lines[:3]
    inner = lines[3:]
    bounds = [0, *sorted({min(max(cut, 5), len(inner) - 1) for cut in cuts}), len(inner)]
    pieces = []
    for number, (start, end) in enumerate(pairwise(bounds), 1):
        last = number == len(bounds) - 1
        total = f"; total={len(bounds) - 1}" if totals or last else ""
        head = (
            b"".join(outer)
            + (
                f'Subject: Pictures ({number})\r\nMessage-ID: <{number}@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: message/partial; id="{name}"; number={number}{total}\r\n\r\n'
            ).encode()
        )
        pieces.append(head + b"".join(inner[start:end]))
    return pieces


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(5, 50), min_size=1, max_size=5), st.booleans())
def test_all_pieces_give_the_whole(cuts: list[int], totals: bool) -> None:
    pieces = split(cuts, totals=totals)
    joined = read(fragments.join(pieces, "all@example.org"))
    wanted = read(WHOLE)
    assert (joined.subject, joined.message_id, joined.text) == (wanted.subject, wanted.message_id, wanted.text)
    assert [(one.filename, one.content) for one in joined.attachments] == [
        (one.filename, one.content) for one in wanted.attachments
    ]
    assert joined.from_ == wanted.from_
    assert joined.date == wanted.date
    assert not joined.partial


def test_a_piece_says_what_it_is_and_shares_the_conversation() -> None:
    mails = [read(piece) for piece in split([20, 30])]
    assert mails[1].text.startswith("This is part 2 of 3 of a message that was sent in pieces.")
    assert [one.filename for one in mails[1].attachments] == ["piece.txt"]
    whole = read(fragments.join(split([20, 30]), "all@example.org"))
    assert {conversation_root(mail) for mail in (*mails, whole)} == {"all@example.org"}
    odd = read(split([20], name="no id at all")[0])
    assert odd.references[0].endswith("@pieces.invalid")


@pytest.mark.parametrize(
    ("number", "total"), [("0", "3"), ("4", "3"), ("x", "3"), ("²", "3"), ("12345", ""), ("", ""), ("-1", "2")]
)
def test_what_is_no_piece(number: str, total: str) -> None:
    assert fragments.piece_of({"id": "a@b", "number": number, "total": total}) is None
    assert fragments.words({"id": "a@b", "number": number, "total": total}) == ""


def test_pieces_of_others_are_kept_apart() -> None:
    mail = read(split([20])[0])
    other = read(split([20])[0].replace(b"kim@example.org", b"eve@example.org"))
    piece = fragments.Piece("a@b", 1, 2)
    keys = {
        fragments.key(mail, piece, "kim@example.org"),
        fragments.key(other, piece, "kim@example.org"),
        fragments.key(mail, piece, "eve@example.org"),
    }
    assert len(keys) == 3
