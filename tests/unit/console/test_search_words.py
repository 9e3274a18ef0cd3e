"""How words are compared: in the index, in what is searched for, and where hits are marked."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_console.read_model.words import (
    APART,
    addresses,
    composed,
    indexed,
    marked,
    scope,
    searched_for,
    without_pictures,
    words,
)

LETTERS = "aBcßÄöéÉñđĐłŁøÅçñ京都東庁アパのがギ한국어ภาษаяЖ"
texts = st.text(alphabet=LETTERS + " .,-@'12", max_size=60)


def _found(text: str, q: str) -> list[str]:
    return [piece for piece, hit in marked(text, searched_for(q)) if hit]


@pytest.mark.parametrize(
    ("q", "phrases"),
    [
        ('order "12-34" OR (x*) ^y', [("order",), ("12", "34"), ("or",), ("x",), ("y",)]),
        ("jo@customer.example", [("jo", "customer", "example")]),
        ('"not on time" late', [("not", "on", "time"), ("late",)]),
        ("東京都 東", [("東京", "京都"), ("東",)]), ("Straße", [("strasse",)]), ("\"';:", []), ("", []), ('"', []),
        ("order order", [("order",)]), (APART, []),
    ],
)  # fmt: skip
def test_what_is_searched_for(q: str, phrases: list[tuple[str, ...]]) -> None:
    assert searched_for(q) == phrases


@pytest.mark.parametrize(
    ("q", "whole"),
    [
        ("jo@customer.example late", {("jo", "customer", "example")}), ("jo@customer", set()), ("jo@customer.e", set()),
        ("@customer.example", set()), ("jo@a@b.example", set()), ("JO@Bücher.example", {("jo", "bucher", "example")}),
    ],
)  # fmt: skip
def test_which_of_it_is_a_whole_address(q: str, whole: set[tuple[str, ...]]) -> None:
    assert addresses(q) == whole
    assert whole <= set(searched_for(q))


@pytest.mark.parametrize(
    ("text", "q", "hits"),
    [
        ("Die Straße, die STRASSE", "strasse", ["Straße", "STRASSE"]), ("München", "munchen", ["München"]),
        ("Munchen", "MÜNCHEN", ["Munchen"]), ("Đặng Văn Lâm", "dang lam", ["Đặng", "Lâm"]), ("Kraków, Łódź", "lodz", ["Łódź"]),
        ("cafe\u0301 noir", "café", ["café"]), ("the parcel", "parc", ["parcel"]), ("the parcel", "pa", []),
        ("to jo@customer.example now", "jo@customer.example", ["jo@customer.example"]),
        ("customer jo example", "jo@customer.example", []), ("invoice 12-34 of 12", "12-34", ["12-34"]),
        ("東京都庁に行く", "京都", ["京都"]), ("東京都庁に行く", "庁", ["庁"]), ("東京都庁に行く", "京庁", []),
        ("주문한 물건이", "물건", ["물건"]), ("がか", "か", ["か"]),
    ],
)  # fmt: skip
def test_what_is_marked(text: str, q: str, hits: list[str]) -> None:
    assert _found(text, q) == hits


@given(texts, st.data())
def test_whatever_stands_in_a_text_is_found_in_any_spelling(text: str, data: st.DataObject) -> None:
    told = [w for w in words(composed(text)) if len(w.text) > 1]
    if not told:
        return
    word = data.draw(st.sampled_from(told))
    written = composed(text)[word.begin : word.end]
    spelling = data.draw(
        st.sampled_from([str.upper, str.lower, lambda s: unicodedata.normalize("NFD", s), lambda s: s])
    )
    if spelling in (str.upper, str.lower) and spelling(written).casefold() != written.casefold():
        return  # what has no other case, or several
    assert _found(text, spelling(written)), (text, written)


@given(texts, texts, st.integers(0, 50))
def test_marking_changes_no_letter(text: str, q: str, around: int) -> None:
    pieces = marked(text, searched_for(q))
    if pieces:
        assert "".join(piece for piece, _ in pieces) == composed(text)
        assert any(hit for _, hit in pieces)
    short = "".join(piece for piece, _ in marked(text, searched_for(q), around=around))
    assert short.strip("…") in composed(text)
    if around:
        assert len(short) <= around + 2


@given(texts, texts, st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
def test_no_portals_words_are_anothers(one: str, two: str, first: str, second: str) -> None:
    if scope(first) != scope(second):
        assert set(indexed([one, two], first)) & set(indexed([one, two], second)) <= {APART}
    assert len(scope(first)) == 6


in_ascii = st.text(st.characters(max_codepoint=127, exclude_characters="["), max_size=60)


@given(st.lists(texts | in_ascii, max_size=4), st.integers(1, 20))
def test_the_index_has_every_word_in_order_and_keeps_its_limit(given_texts: list[str], most: int) -> None:
    mine = scope("p1")
    whole = indexed(given_texts, "p1")
    assert [w for w in whole if w != APART] == [mine + w.text for t in given_texts for w in words(composed(t))]
    assert indexed(given_texts, "p1", most) == whole[:most]


@pytest.mark.parametrize(
    ("text", "left"),
    [("Hello\n[Company logo]\nJo", "Hello\n \nJo"), ("see [1] and [2]", "see [1] and [2]"),
     ("look [image: rhubarb.png] here", "look   here"), ("[cid:x@y] yes", "  yes"), ("[not\nclosed", "[not\nclosed")],
)  # fmt: skip
def test_what_stands_for_a_picture_is_no_word(text: str, left: str) -> None:
    assert without_pictures(text) == left
