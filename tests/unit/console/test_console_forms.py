"""What people type: addresses, names, accounts, files, searches, cursors."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_console.access import passwords
from mailroom_console.addresses import smtp_accounts
from mailroom_console.addresses.own_internal import name_for
from mailroom_console.addresses.shape import state_of
from mailroom_console.api.downloads import download
from mailroom_console.mailboxes import domain_name, email_address, local_part, people, person_name
from mailroom_console.problems import Problem
from mailroom_console.storage.paging import cursor, keys_of, number_cursor
from mailroom_console.tickets.reading import File
from mailroom_console.times import moment
from mailroom_console.uploads.records import file_name, media_type
from mailroom_contracts import AddressStatus


def outcome(work: Callable[[], Any]) -> Any:
    """What it gives, or the `Problem` that it raises."""
    try:
        return work()
    except Problem as problem:
        return problem


def test_domains_and_addresses_are_normalised() -> None:
    assert domain_name(" Müller.Example. ") == "xn--mller-kva.example"
    assert email_address("info@Straße.example") == "info@xn--strae-oqa.example"
    assert email_address(" Jo.Doe+tag@Customer.Example ") == "jo.doe+tag@customer.example"
    assert local_part("Support ") == "support"
    assert person_name("  Acme   Support ") == "Acme Support"


@pytest.mark.parametrize("bad", ["", "a", "a@", "@b.example", "a b@c.example", "a@b", "a@-b.example", "a@b..example",
                                 "a\r\n@b.example", "x" * 65 + "@b.example", "a@b.example\0"])  # fmt: skip
def test_what_is_no_address_is_refused(bad: str) -> None:
    with pytest.raises(Problem) as caught:
        email_address(bad)
    assert (caught.value.status, caught.value.more["field"]) == (422, "email")


def test_recipients_in_all_forms() -> None:
    found = people(
        ["a@b.example", "Jo Doe <Jo@C.Example>", '"Doe, Jo" <j@c.example>', {"email": "x@y.example"}, " "], "cc"
    )
    assert [(p.email, p.name) for p in found] == [
        ("a@b.example", ""), ("Jo@c.example", "Jo Doe"), ("j@c.example", "Doe, Jo"), ("x@y.example", ""),
    ]  # fmt: skip


def test_recipients_may_have_any_letters() -> None:
    found = people(["jörg@straße.example", "Ру <почта@пример.example>"], "cc")
    assert [p.email for p in found] == ["jörg@xn--strae-oqa.example", "почта@xn--e1afmkfd.example"]
    for bad in (
        "jö\u00a0rg@a.example",
        "jö\u202erg@a.example",
        "ö" * 33 + "@a.example",
        "jö rg@a.example",
        "ö@ä..example",
    ):
        assert isinstance(outcome(lambda bad=bad: people([bad], "bcc")), Problem), bad


@given(st.text())
def test_recipients_never_hold_a_line_break(text: str) -> None:
    found = outcome(lambda: people([f"{text} <a@b.example>", {"email": "a@b.example", "name": text}, text], "cc"))
    if isinstance(found, Problem):
        assert found.status == 422
    else:
        assert not [p for p in found if set("\r\n\0") & set(p.email + p.name)]


@given(st.text(max_size=300))
def test_file_names_are_names(name: str) -> None:
    cleaned = file_name(name)
    assert cleaned
    assert len(cleaned) <= 150
    assert not set('/\\\r\n\0:"') & set(cleaned)
    assert cleaned not in (".", "..")


def test_media_types() -> None:
    assert media_type("Text/HTML; charset=x") == "text/html"
    assert media_type("text/html\r\nX: y") == "application/octet-stream"
    assert media_type(None) == "application/octet-stream"


@given(st.text(max_size=200), st.text(max_size=60), st.binary(max_size=40))
def test_downloads_never_run(filename: str, kind: str, content: bytes) -> None:
    answer = download(File(content, kind, filename), inline=True)
    assert answer.headers["content-disposition"].startswith(("attachment;", "inline;"))
    if answer.headers["content-disposition"].startswith("inline"):
        assert answer.media_type in ("image/png", "image/jpeg", "image/gif", "image/webp")
    assert not [v for v in answer.headers.values() if "\r" in v or "\n" in v]


def test_accounts_take_their_tls_from_the_port_unless_told() -> None:
    first = smtp_accounts.account({"host": "SMTP.Example.com", "port": 465}, "a@b.example")
    assert (first["host"], first["tls"], first["username"]) == ("smtp.example.com", "implicit", "a@b.example")
    assert smtp_accounts.account({"port": 587}, "a@b.example", first)["tls"] == "starttls"
    assert smtp_accounts.account({"port": 587, "tls": "none"}, "a@b.example", first)["tls"] == "none"
    assert smtp_accounts.account({"username": "u"}, "a@b.example", first)["tls"] == "implicit"
    suggestion = smtp_accounts.suggestion("x@gmail.com")
    assert suggestion is not None
    assert suggestion["host"] == "smtp.gmail.com"
    assert smtp_accounts.suggestion("x@b.example") is None


@given(st.emails(), st.sets(st.from_regex(r"(help|a)(-shop)?(-[2-9])?@acme\\.example", fullmatch=True), max_size=8))
def test_an_internal_address_of_its_own_is_free_and_can_be_one(email: str, taken: set[str]) -> None:
    name = name_for(email, taken, "acme.example")
    assert name not in taken
    assert local_part(name.partition("@")[0])
    assert name_for("help@shop.example", {"help-shop@acme.example"}, "acme.example") == "help-shop-2@acme.example"


@given(st.text(max_size=60))
def test_cursors_of_others_are_refused_politely(text: str) -> None:
    for read in (lambda: keys_of(text, int, int), lambda: number_cursor(text)):
        found = outcome(read)
        if isinstance(found, Problem):
            assert (found.status, found.code) == (400, "bad_cursor")


def test_cursors_come_back() -> None:
    assert keys_of(cursor(5, 7), int, int) == [5, 7]
    assert keys_of(cursor("a@b.example"), str) == ["a@b.example"]


@pytest.mark.parametrize(
    ("row", "statuses", "state"),
    [
        ({"active": False}, {}, "inactive"),
        ({}, {}, "active"),
        ({}, {"sending": ("needs_attention", "535")}, "needs_attention"),
        ({"active": False}, {"sending": ("needs_attention", "535")}, "inactive"),
        ({"kind": "gmail", "gmail": None}, {}, "disconnected"),
        ({"kind": "gmail", "gmail": {"secret": "s"}, "queue_id": None}, {}, "not_configured"),
        ({"kind": "gmail", "gmail": {"secret": "s"}}, {"receiving": ("syncing", "")}, "syncing"),
        # a login that worked after the trouble was told: the answer of the PATCH shows it
        (
            {"kind": "smtp", "smtp": {"checked_at": "1970-01-01T00:00:01Z"}},
            {"sending": ("needs_attention", "535")},
            "active",
        ),
        ({"kind": "smtp", "smtp": {"checked_at": None}}, {"sending": ("needs_attention", "535")}, "needs_attention"),
        ({"kind": "smtp", "forwards_to": "x"}, {"forwarding": ("pending", "")}, "forwarding_pending"),
        ({"kind": "smtp", "forwards_to": "x"}, {"forwarding": ("failed", "")}, "forwarding_failed"),
        ({"kind": "smtp", "forwards_to": "x"}, {"forwarding": ("confirmed", "")}, "active"),
    ],
)
def test_how_an_address_stands(row: dict[str, Any], statuses: dict[str, tuple[str, str]], state: str) -> None:
    values = {"kind": "internal", "active": True, "updated_at": 0, "gmail": None, "queue_id": "q", "forwards_to": None,
              "smtp": None}  # fmt: skip
    told = {
        aspect: AddressStatus(address_id="a", portal_id="p", aspect=aspect, state=s, reason=reason, since=moment(0))
        for aspect, (s, reason) in statuses.items()
    }
    found = state_of(SimpleNamespace(**(values | row)), told)
    assert found.state == state
    assert (found.since or "").startswith("1970-01-01T00:00:0")


async def test_passwords() -> None:
    stored = await passwords.hashed("correct horse battery")
    assert stored.startswith("$argon2id$")
    assert await passwords.matches(stored, "correct horse battery")
    assert not await passwords.matches(stored, "Correct horse battery")
    assert not await passwords.matches(None, "anything")
    for bad in ("short", "x" * 201, "aaaaaaaaaaaa", "jo.miller@acme.example"):
        with pytest.raises(Problem):
            passwords.acceptable(bad, email="jo.miller@acme.example")
