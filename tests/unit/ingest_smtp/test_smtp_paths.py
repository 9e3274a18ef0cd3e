"""Paths of the envelope and their parameters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_ingest_smtp.paths import NULL, BadPath, Path, parameters, parse

ATEXT = st.text("abcXYZ019!#$%&'*+-/=?^_`{|}~.", min_size=1, max_size=64)
LABEL = st.text("abcdefXYZ0123456789", min_size=1, max_size=20)
DOMAIN = st.lists(LABEL, min_size=1, max_size=4).map(".".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<jo@customer.example>", Path("jo", "customer.example")),
        (" <jo@customer.example>", Path("jo", "customer.example")),
        ("jo@customer.example", Path("jo", "customer.example")),
        ("<>", NULL),
        ("<jo@customer.example.>", Path("jo", "customer.example")),
        ("<@hop.example,@two.example:jo@customer.example>", Path("jo", "customer.example")),
        ('<"jo doe"@customer.example>', Path("jo doe", "customer.example")),
        ('<"a\\"b\\\\c"@customer.example>', Path('a"b\\c', "customer.example")),
        ("<jo@[192.0.2.1]>", Path("jo", "[192.0.2.1]")),
        ("<jo@[IPv6:2001:db8::1]>", Path("jo", "[IPv6:2001:db8::1]")),
        ("<jörg@bücher.example>", Path("jörg", "bücher.example")),
        ("<a..b.@docomo.example>", Path("a..b.", "docomo.example")),
        ("<postmaster>", Path("postmaster", "")),
        ("<PostMaster>", Path("postmaster", "")),
    ],
)
def test_paths_as_clients_write_them(text: str, expected: Path) -> None:
    assert parse(text) == (expected, "")


@pytest.mark.parametrize(
    "text",
    [
        "", "<", "<>>"[1:], "<jo>", "<jo@>", "<@x.example>", "<jo@x.example", "jo@x.example>", "<jo doe@x.example>",
        "<jo@x .example>", "<jo@x.example>x", '<"jo@x.example>', "<jo@-x.example>", "<jo@x.example-.>", "<jo@.x>",
        "<a@b@c.example>", "<jo\x00@x.example>", "<jo\udcff@x.example>", "<jo@x.example\udcff>", "<jo@[1.2.3.4>",
        f"<{'a' * 257}@x.example>", f"<jo@{'a' * 256}>", "<jo@x.example\r\nRCPT TO:<a@b>>",
    ],
)  # fmt: skip
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(BadPath):
        parse(text)


@given(ATEXT, DOMAIN, st.sampled_from(["", " SIZE=100", " BODY=8BITMIME SMTPUTF8"]))
def test_what_is_written_is_read(local: str, domain: str, rest: str) -> None:
    assert parse(f"<{local}@{domain}>{rest}") == (Path(local, domain), rest)


@given(st.text(max_size=300))
def test_no_text_does_anything_but_parse_or_refuse(text: str) -> None:
    try:
        path, rest = parse(text)
    except BadPath:
        return
    assert str(path).isprintable() or any(ord(char) > 127 for char in str(path))
    assert text.lstrip(" ").endswith(rest)
    assert "\n" not in str(path)
    assert "\r" not in str(path)
    str(path).encode()


def test_parameters() -> None:
    assert parameters(" SIZE=5000 body=8BITMIME SMTPUTF8") == {"SIZE": "5000", "BODY": "8BITMIME", "SMTPUTF8": None}
    assert parameters("") == {}
    for bad in (" SIZE=", " =5", " SIZE=1 SIZE=2", " SI;ZE=1", " ü=1"):
        with pytest.raises(BadPath):
            parameters(bad)
