"""An address is found in a text in all its spellings, and no other address is."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st
from mailroom_console.erasing import spellings
from mailroom_mail import comparable
from mailroom_runtime.forgotten import ADDRESS, Forgotten, digest_of

LOCALS = ("jo", "j\u00f6rg", "anh.nguy\u1ec5n", "\u7528\u6237", "o'neil", "stra\u00dfe")
DOMAINS = (
    "customer.example",
    "b\u00fccher.example",
    "xn--bcher-kva.example",
    "stra\u00dfe.example",
    "\u4f8b\u5b50.example",
    "m\u00fc.b\u00fccher.example",
)
WAYS = (str, str.upper, str.title, lambda text: text.replace("\u00f6", "o\u0308").replace("\u00fc", "u\u0308"))
addresses = st.tuples(st.sampled_from(LOCALS), st.sampled_from(DOMAINS)).map("@".join)
around = st.sampled_from(("", " ", "<", ">", ", ", "\n", "(", ")", '"', " Gr\u00fc\u00dfe ", ";"))


def spelt(address: str, local: int, domain: int) -> str:
    before, _, after = address.partition("@")
    made = f"{WAYS[local](before)}@{WAYS[domain](after)}"
    return made if comparable(made) == comparable(address) else address  # \u00df in capitals is SS: another's


@given(addresses, st.integers(0, 3), st.integers(0, 3), around, around)
def test_it_is_found_however_it_is_spelt_and_may_be_looked_for_by_a_database(
    address: str, local: int, domain: int, before: str, after: str
) -> None:
    text, wanted = before + spelt(address, local, domain) + after, comparable(address)
    assert spellings.names(text, wanted)
    assert spellings.record_names(json.dumps({"text": text}).encode(), wanted)
    lower = text.translate({n: n + 32 for n in range(65, 91)})  # as SQLite lowers
    assert wanted in lower or re.search(spellings._BEYOND_ASCII, text), "else no database gives the row"
    person = Forgotten("p1", digest_of("p1", wanted))
    taken_out = person.without({"text": text})["text"]
    assert ADDRESS in taken_out
    assert not spellings.names(taken_out, wanted)


@given(addresses, addresses)
def test_no_other_address_is_meant(one: str, other: str) -> None:
    same = comparable(one) == comparable(other)
    longer = comparable(other) in comparable(one)
    assert spellings.names(f"to <{one}>", comparable(other)) == (same or longer)
