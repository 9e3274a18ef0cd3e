"""Domain names: one form for asking and comparing, which never is another registrant's name."""

from __future__ import annotations

import re
from pathlib import Path

import idna
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mailroom_mail import ascii_address, ascii_domain, comparable

REPOSITORY = Path(__file__).parents[3]
# made by hand after UTS 46 (revision 33) and RFC 5891 to 5893: typed, and what DNS is asked for
VECTORS = [
    ("straße.example", "xn--strae-oqa.example"),  # IDNA 2003 had strasse, a stranger's
    ("STRAẞE.Example", "xn--strae-oqa.example"),
    ("faß.de", "xn--fa-hia.de"),
    ("βόλος.com", "xn--nxasmm1c.com"),  # final sigma, not xn--nxasmq6b
    ("نامه\u200cای.com", "xn--mgba3gch31f060k.com"),  # a non-joiner within Persian counts
    ("ශ්\u200dරී.com", "xn--10cl1a0b660p.com"),
    ("Bücher.Example", "xn--bcher-kva.example"),
    ("bu\u0308cher.example", "xn--bcher-kva.example"),  # decomposed
    ("日本語。ＪＰ", "xn--wgv71a119e.jp"),  # an ideographic full stop, wide letters
    ("ex\xadample.com", "example.com"),  # a soft hyphen is nothing
    ("１２３.example", "123.example"),
    ("i❤.ws", "xn--i-7iq.ws"),  # no letter in IDNA 2008, but sold and used
    ("a_b.exämple", "a_b.xn--exmple-cua"),
    ("r3---sn.exämple", "r3---sn.xn--exmple-cua"),
    ("xn--strae-oqa.exämple", "xn--strae-oqa.xn--exmple-cua"),
    ("Plain.Example", "plain.example"),
    ("XN--STRAE-OQA.example", "xn--strae-oqa.example"),
]
NO_DOMAINS = [
    "ä..example", ".ä", "ä.example.", "ä" * 64 + ".example", "ä." * 130 + "example", "ä/b.example", "ä@b.example",
    "ä b.example", "ä\r\n.example", "％ä.example", "％.exämple", "⒈ä.com", "xn--ä.example", "-ä.example", "ä-.example",
    "\u0301ä.example", "a\u200db.example", "👨\u200d👩.example", "\xad.exämple", "אa.example", "ä\x00.example", "ä" * 5000,
]  # fmt: skip


@pytest.mark.parametrize(("typed", "asked"), VECTORS)
def test_what_dns_is_asked_for(typed: str, asked: str) -> None:
    assert ascii_domain(typed) == asked
    assert ascii_domain(asked) == asked
    assert ascii_address(f"Jörg@{typed}") == f"Jörg@{typed if typed.isascii() else asked}"
    assert comparable(f"Jo@{typed}") == f"jo@{asked}"


@pytest.mark.parametrize("typed", NO_DOMAINS)
def test_what_can_be_no_domain(typed: str) -> None:
    with pytest.raises(ValueError):
        ascii_domain(typed)
    assert comparable(f"Jo@{typed}") == f"jo@{typed.lower()}"  # compared all the same, and equal to itself only


_LETTERS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)


@given(st.lists(_LETTERS, min_size=1, max_size=4).map(".".join))
@example("straße.example")
@example("ς.example")
def test_the_form_names_what_was_typed_and_nothing_else(typed: str) -> None:
    try:
        asked = ascii_domain(typed)
    except ValueError:
        return
    assert asked == asked.lower()
    assert ascii_domain(asked) == asked
    if typed.isascii():
        return
    assert re.fullmatch(r"[a-z0-9_.-]{1,253}", asked)
    # back to letters it is what was typed, but for UTS 46's own mapping (case, width, composition)
    labels = [x[4:].encode().decode("punycode") if x.startswith("xn--") else x for x in asked.split(".")]
    mapped = idna.uts46_remap(typed, std3_rules=False, transitional=False)
    assert ".".join(labels) == ".".join(
        x[4:].encode().decode("punycode") if x.startswith("xn--") else x for x in mapped.split(".")
    )


@given(st.text(max_size=60), st.text(max_size=60))
def test_comparable_is_stable_and_never_fails(local: str, domain: str) -> None:
    one = comparable(f"{local}@{domain}")
    assert comparable(one) == one or not one.isascii()
    assert comparable(one.upper() if one.isascii() else one) == comparable(one)


def test_nothing_uses_pythons_own_codec() -> None:
    """It is IDNA 2003: `straße` becomes `strasse`, where somebody else reads the mail."""
    used = re.compile(r"""(?:en|de)code\(\s*["']idna["']""")
    found = [
        str(path.relative_to(REPOSITORY))
        for root in ("shared", "services", "deploy")
        for path in (REPOSITORY / root).rglob("*.py")
        if used.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []
