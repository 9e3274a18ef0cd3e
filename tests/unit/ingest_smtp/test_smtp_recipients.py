"""Who may receive: portals, addresses, plus parts, postmasters, and what a stale view may say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_contracts import Address, Portal
from mailroom_ingest_smtp.paths import Path, parse
from mailroom_ingest_smtp.recipients import Recipient, decide
from mailroom_ingest_smtp.replies import LATER_RECIPIENT, NO_RELAY, UNKNOWN, UNKNOWN_INACTIVE, Reply


@dataclass
class Tables:
    """A directory in memory."""

    portals: Iterable[Portal] = ()
    addresses: Iterable[Address] = ()
    is_fresh: bool = True
    asked: list[str] = field(default_factory=list)

    def address_by_email(self, email: str) -> Address | None:
        self.asked.append(email)
        return next((a for a in self.addresses if a.email == email.lower()), None)

    def portal_of_domain(self, domain: str) -> Portal | None:
        return next((p for p in self.portals if domain in p.domains), None)

    def addresses_of_portal(self, portal_id: str) -> Iterator[Address]:
        return (a for a in self.addresses if a.portal_id == portal_id)

    def home_domain(self) -> str | None:
        domains = [p.domains[0] for p in self.portals]
        return domains[0] if len(domains) == 1 else None

    def fresh(self) -> bool:
        return self.is_fresh


def address(id_: str, email: str, portal: str = "p1", kind: str = "internal", active: bool = True) -> Address:
    return Address(id=id_, portal_id=portal, kind=kind, email=email, active=active, queue_id="q")


ACME = Portal(id="p1", name="Acme", domains=["acme.example", "xn--bcher-kva.example"])
BETA = Portal(id="p2", name="Beta", domains=["beta.example"])
GONE = Portal(id="p3", name="Gone", domains=["gone.example"], active=False)
ROWS = [
    address("a1", "support@acme.example"),
    address("a2", "old@acme.example", active=False),
    address("a3", "c+plus@acme.example"),
    address("a4", "shop@elsewhere.example", kind="smtp"),
    address("a5", "mail@acme.example", kind="gmail"),
    address("a6", "info@xn--bcher-kva.example"),
    address("b1", "help@beta.example", "p2"),
    address("b2", "stray@acme.example", "p2"),
    address("g1", "x@gone.example", "p3"),
]


def answer(text: str, *, fresh: bool = True) -> Recipient | Reply:
    return decide(parse(f"<{text}>")[0], Tables([ACME, BETA, GONE], ROWS, fresh))


@pytest.mark.parametrize(
    ("email", "address_id", "kept"),
    [
        ("support@acme.example", "a1", "support@acme.example"),
        ("SUPPORT@ACME.example", "a1", "SUPPORT@acme.example"),
        ("support+abc@acme.example", "a1", "support+abc@acme.example"),
        ("support+a+b@acme.example", "a1", "support+a+b@acme.example"),
        ("support+@acme.example", "a1", "support+@acme.example"),
        ('"support"@acme.example', "a1", "support@acme.example"),
        ("c+plus@acme.example", "a3", "c+plus@acme.example"),
        ("c+plus+tag@acme.example", "a3", "c+plus+tag@acme.example"),
        ("info@bücher.example", "a6", "info@bücher.example"),
        ("info@xn--bcher-kva.example", "a6", "info@xn--bcher-kva.example"),
        ("mail@acme.example", "a5", "mail@acme.example"),
        ("help@beta.example", "b1", "help@beta.example"),
    ],
)
def test_addresses_of_ours_are_accepted(email: str, address_id: str, kept: str) -> None:
    accepted = answer(email)
    assert isinstance(accepted, Recipient)
    assert (accepted.address_id, accepted.email) == (address_id, kept)


@pytest.mark.parametrize(
    ("email", "refusal"),
    [
        ("nobody@acme.example", UNKNOWN),
        ("old@acme.example", UNKNOWN_INACTIVE),
        ("old+tag@acme.example", UNKNOWN_INACTIVE),
        ("c@acme.example", UNKNOWN),
        ("+support@acme.example", UNKNOWN),
        ("stray@acme.example", UNKNOWN),  # an address that another portal claims within our domain
        ("shop@elsewhere.example", NO_RELAY),  # ours to send from, but not hosted here
        ("anyone@foreign.example", NO_RELAY),
        ("support%foreign.example@acme.example", UNKNOWN),
        ("support@acme.example.foreign.example", NO_RELAY),
        ("support@[192.0.2.1]", NO_RELAY),
        ("x@gone.example", NO_RELAY),
        ("postmaster", UNKNOWN),  # without a domain, and there are several portals
    ],
)
def test_everybody_else_is_refused_and_only_by_a_fresh_view(email: str, refusal: Reply) -> None:
    assert answer(email) is refusal
    assert answer(email, fresh=False) is LATER_RECIPIENT


def test_a_stale_view_still_accepts_whom_it_knows() -> None:
    assert isinstance(answer("support@acme.example", fresh=False), Recipient)


def test_postmaster_reaches_the_first_internal_address_of_the_domain() -> None:
    accepted = answer("Postmaster@acme.example")
    assert isinstance(accepted, Recipient)
    assert (accepted.address_id, accepted.email) == ("a3", "c+plus@acme.example")
    own = decide(Path("postmaster", "acme.example"), Tables([ACME], [*ROWS, address("pm", "postmaster@acme.example")]))
    assert isinstance(own, Recipient)
    assert own.address_id == "pm"
    bare = decide(Path("postmaster", ""), Tables([ACME], ROWS))
    assert isinstance(bare, Recipient)
    assert bare.address_id == "a3"
    off = Tables([ACME], [address("pm", "postmaster@acme.example", active=False), *ROWS])
    assert decide(Path("postmaster", "acme.example"), off) is UNKNOWN_INACTIVE
    assert decide(Path("postmaster", "acme.example"), Tables([ACME], [])) is UNKNOWN


LOCAL = st.text("abc+.-", min_size=1, max_size=12)


@given(st.sets(LOCAL, min_size=1, max_size=5), LOCAL, st.booleans(), st.booleans())
def test_exactly_the_longest_known_part_before_a_plus_decides(
    known: set[str], local: str, active: bool, fresh: bool
) -> None:
    tables = Tables([ACME], [address(name, f"{name}@acme.example", active=active) for name in known], fresh)
    prefixes = [local, *(local[:i] for i in range(len(local) - 1, 0, -1) if local[i] == "+")]
    expected = next((prefix for prefix in prefixes if prefix in known), None)
    got = decide(Path(local, "acme.example"), tables)
    if expected is None:
        assert got is (UNKNOWN if fresh else LATER_RECIPIENT)
    elif active:
        assert got == Recipient(f"{local}@acme.example", "p1", expected)
    else:
        assert got is (UNKNOWN_INACTIVE if fresh else LATER_RECIPIENT)


@given(st.text(max_size=60))
def test_no_recipient_whatever_its_spelling_leaves_our_portals(text: str) -> None:
    try:
        path, _ = parse(f"<{text}>")
    except ValueError:
        return
    got = decide(path, Tables([ACME, BETA, GONE], ROWS))
    if isinstance(got, Recipient):
        row = next(a for a in ROWS if a.id == got.address_id)
        assert row.active
        assert row.portal_id == got.portal_id
