"""Strangers' documents as pictures: what is drawn, what is said instead, and what a hostile one costs."""

from __future__ import annotations

import io
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mailroom_console.pages.tickets.attached_files import preview
from mailroom_console.pages.tickets.drawn_pages import AT_ONCE, HIGHEST, LAST_PAGE, WIDEST, Drawn, Sheet, drawn, kind_of
from mailroom_console.pages.tickets.preview_pages import _drawn, sheets_document
from PIL import Image
from support.documents import (
    HEIC,
    filled_form,
    page_of,
    pdf,
    pdf_that_unpacks_to,
    pdf_with_script,
    picture,
    protected_pdf,
    tiff,
)

SEVEN = pdf(*[f"Page number {n}" for n in range(1, 8)])


def _dark(sheet: Sheet) -> int:
    """How many pixels are not white."""
    assert sheet.picture is not None
    seen = Image.open(io.BytesIO(sheet.picture))
    assert seen.size == (sheet.width, sheet.height)
    return sum(seen.convert("L").histogram()[:200])


def test_pages_are_drawn_some_at_a_time() -> None:
    first = drawn(SEVEN, 1)
    assert (first.count, first.trouble, [s.number for s in first.sheets]) == (7, "", list(range(1, AT_ONCE + 1)))
    assert all(s.content_type == "image/png" and s.width == WIDEST and _dark(s) > 3000 for s in first.sheets)
    assert [s.number for s in drawn(SEVEN, 6).sheets] == [6, 7]
    assert drawn(SEVEN, 8) == Drawn(7)
    assert [s.number for s in drawn(SEVEN, 3, most=1).sheets] == [3]


def test_no_page_is_begun_when_time_is_over() -> None:
    clock = count(0, 2)  # two seconds pass at each look
    assert len(drawn(SEVEN, 1, now=lambda: float(next(clock))).sheets) == 2


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "CMYK", "P", "I;16"])
def test_a_fax_is_drawn(mode: str) -> None:
    found = drawn(tiff(7, mode=mode), 1)
    assert (found.count, found.trouble, len(found.sheets)) == (7, "", AT_ONCE)
    assert 0 < _dark(found.sheets[0]) < 20_000


def test_what_was_filled_into_a_form_is_seen() -> None:
    assert _dark(drawn(filled_form(), 1).sheets[0]) > 500


def test_a_photograph_becomes_jpeg() -> None:
    noise = io.BytesIO()
    Image.effect_noise((2000, 3000), 100).convert("RGB").save(noise, "PDF")
    (sheet,) = drawn(noise.getvalue(), 1).sheets
    assert sheet.content_type == "image/jpeg"
    assert sheet.picture is not None
    assert len(sheet.picture) < 1_500_000


@pytest.mark.parametrize("box", ["0 0 1000000000 1000000000", "0 0 14400 14400", "0 0 1e39 -1e39", "0 0 0 0", "0 0 100000 1",
                                 "5 5 5 9000", "0 0 2 2", "0 0 200 14400"])  # fmt: skip
def test_a_page_of_any_size_takes_bounded_pixels(box: str) -> None:
    (sheet,) = drawn(page_of(box), 1).sheets
    assert sheet.width <= WIDEST
    assert sheet.height <= HIGHEST


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (protected_pdf(), "password"),
        (b"%PDF-1.7\n" + b"nonsense " * 500, "broken"),
        (SEVEN[:200], "broken"),
        (b"", "broken"),
        (b"PK\x03\x04", "broken"),
        (b"II*\0", "broken"),
        (tiff(1)[:60], "broken"),
        (HEIC, "broken"),  # the page says so before
    ],
)
def test_what_cannot_be_drawn_has_a_reason(content: bytes, trouble: str) -> None:
    assert drawn(content, 1) == Drawn(trouble=trouble)


def test_pages_that_are_not_there_are_said_one_by_one() -> None:
    lying = page_of("0 0 99 99").replace(b"/Count 1>>", b"/Count 9>>")
    found = drawn(lying, 1)
    assert found.count <= LAST_PAGE
    assert found.sheets[0].picture is not None


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([SEVEN, tiff(2, (60, 60)), protected_pdf(), filled_form(), pdf_with_script()]),
       st.lists(st.tuples(st.integers(0, 6000), st.binary(max_size=6)), max_size=8))  # fmt: skip
def test_damaged_files_are_drawn_or_refused(content: bytes, changes: list[tuple[int, bytes]]) -> None:
    for place, put in changes:
        place %= len(content)
        content = content[:place] + put + content[place + len(put) :]
    found = drawn(content, 1, most=2)
    assert found.sheets or found.trouble


async def test_a_document_that_unpacks_to_more_than_there_is_costs_a_process_and_no_more() -> None:
    bomb = pdf_that_unpacks_to(1_500_000_000)
    assert len(bomb) < 10_000
    assert await _drawn(bomb, 1, "m1") == Drawn(trouble="too_much")
    assert (await _drawn(SEVEN, 7, "m1")).sheets[0].number == 7


def test_kinds_by_their_bytes() -> None:
    assert [kind_of(c) for c in (SEVEN, b"junk\n" + SEVEN, tiff(1), HEIC, picture(), b"")] == [
        "pdf", "pdf", "tiff", "heic", "", ""]  # fmt: skip


def test_the_frame_says_what_is_shown_and_where_the_rest_is() -> None:
    def page(found: Drawn, first: int) -> str:
        return sheets_document(
            found, first, here="/messages/m/sheets/0", style="/static/1/sheets.css", title='a"<b>.pdf'
        )

    first, last = page(drawn(SEVEN, 1), 1), page(drawn(SEVEN, 6), 6)
    assert "<title>a&#34;&lt;b&gt;.pdf</title>" in first
    assert first.count("<img ") == 5
    assert 'alt="Page 5 of 7"' in first
    assert 'href="/messages/m/sheets/0?from=6"' in first
    assert "earlier" not in first
    assert "more pages" not in last
    assert 'href="/messages/m/sheets/0?from=1"' in last
    assert "There is no page 9: the document has 7." in page(drawn(SEVEN, 9), 9)
    assert "This page cannot be drawn." in page(Drawn(2, [Sheet(1)]), 1)
    assert "password" in page(Drawn(trouble="password"), 1)


@pytest.mark.parametrize(
    ("content_type", "filename", "how"),
    [
        ("application/pdf", "a", "sheets"),
        ("application/octet-stream", "Invoice.PDF", "sheets"),
        ("application/octet-stream", "setup.exe", ""),
        ("application/octet-stream", None, ""),
        ("image/tiff", "fax.tif", "sheets"),
        ("image/heic", "IMG_1.HEIC", "sheets"),
        ("image/png", "a.pdf", "picture"),
        ("image/bmp", "a.bmp", "picture"),
        ("image/svg+xml", "a.svg", ""),
        ("text/html", "a.html", ""),
        ("text/csv; charset=utf-8", "a.csv", "text"),
        ("message/rfc822", None, "text"),
    ],
)
def test_how_a_file_can_be_looked_at(content_type: str, filename: str | None, how: str) -> None:
    told = preview({"content_type": content_type, "filename": filename, "index": 3}, "/messages/m")
    assert told["preview"] == how
    assert told["preview_url"].endswith("/3") == bool(how)
