"""Paths that may be gone to, forms of addresses, DNS records judged, services in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_console.pages.access.accounts import audit_entry, change_words
from mailroom_console.pages.addresses.address_form import blank, differences, preview, problems
from mailroom_console.pages.addresses.address_form import given as as_given
from mailroom_console.pages.addresses.address_view import shown
from mailroom_console.pages.frame.activity_view import behind, rate, service
from mailroom_console.pages.frame.visit import local
from mailroom_console.pages.mounting import all_pages
from mailroom_console.portals.dkim_keys import _private_pem, public_record
from mailroom_console.portals.dns_records import Record
from mailroom_console.portals.mail_dns import judge, mail_host
from mailroom_console.problems import Problem, invalid


@given(st.text(max_size=60))
def test_a_path_is_ours_or_the_default(path: str) -> None:
    gone = local(path, "/tickets")
    assert gone.startswith("/")
    assert not gone.startswith(("//", "/\\"))
    assert gone.isascii()
    assert "\n" not in gone


def test_every_page_asks_for_a_scope_but_the_doors() -> None:
    open_pages = {(page.method, page.path) for page in all_pages() if page.scope is None}
    assert open_pages == {
        ("GET", "/sign-in"), ("POST", "/sign-in"), ("GET", "/first-start"), ("POST", "/first-start"),
        # who operates the platform has no session: the platform's token is typed, and a sealed link shows what came of it
        ("GET", "/platform/delete-portal"), ("POST", "/platform/delete-portal"),
        ("GET", "/platform/delete-portal/progress"),
    }  # fmt: skip
    assert all(page.csrf for page in all_pages() if page.method == "POST")
    routes = [(page.method, page.path) for page in all_pages()]
    assert len(routes) == len(set(routes))


def test_an_unchanged_account_is_left_out_so_that_no_login_is_tried() -> None:
    saved = {"smtp": {"host": "h.example", "port": 587, "tls": "starttls", "username": "u"}}
    form = blank() | {"host": "h.example", "port": "587", "username": "u", "queue_id": "q1", "revision": 2}
    assert "smtp" not in as_given(form, "", "smtp", saved)
    assert as_given(form, "secret", "smtp", saved)["password"] == "secret"
    assert as_given(form | {"host": "other.example"}, "", "smtp", saved)["smtp"]["host"] == "other.example"
    with pytest.raises(Problem, match="number from 1"):
        as_given(form | {"port": "many"}, "", "smtp", saved)


def test_problems_stand_at_their_field() -> None:
    assert problems(invalid("smtp.host", "Wrong."), "smtp") == {"host": "Wrong."}
    assert problems(Problem(409, "address_taken", "Taken."), "internal") == {"local_part": "Taken."}
    assert problems(Problem(422, "smtp_check_failed", "Refused."), "smtp")["smtp"] == "Refused."
    assert problems(Problem(409, "no_domain", "None."), "internal") == {"": ["None."]}


def test_what_somebody_else_saved_is_told() -> None:
    mine = blank() | {"full_name": "Mine"}
    assert differences(mine, blank() | {"full_name": "Theirs", "active": False}) == "active off, full name “Theirs”"
    assert differences(mine, mine) == "the same as yours"


def test_preview_tells_what_is_wrong() -> None:
    fine = preview("Re: {{subject}}", "Dear {{customer.name}}, {{ticket.number}} {{queue.name}}", "Sales")
    assert fine["text"].startswith("Dear Jo Miller, MR-")
    assert fine["text"].strip().endswith("Sales")
    assert "there is no {{password}}" in preview("x", "{{password}}", "Sales")["error"]


def test_address_states_have_a_colour_and_words() -> None:
    base = {"id": "x", "kind": "smtp", "email": "e", "full_name": "", "queue_id": None, "forwards_to": None, "forwarders": [],
            "receiving": None, "forwarding": None, "state_reason": "535", "state_since": "2026-11-24T10:00:00Z",
            "mails_today": {"in": 0, "out": 0}, "gmail": None, "active": True}  # fmt: skip
    bad = shown(base | {"state": "needs_attention"}, {}, {})
    assert (bad["tone"], bad["state_words"], bad["state_reason"]) == ("bad", "Needs attention", "535")
    assert shown(base | {"state": "something_new"}, {}, {})["state_words"] == "Something new"
    assert len(bad["received"]) == 24


@pytest.mark.parametrize(
    ("kind", "wanted", "found", "state"),
    [
        ("mx", "10 mail.acme.example.", ["10 mail.acme.example."], "right"),
        ("mx", "10 mail.acme.example.", ["20 MAIL.acme.example.", "10 other.example."], "wrong"),
        ("mx", "10 mail.acme.example.", [], "missing"),
        ("spf", "v=spf1 a:mail.acme.example ~all", ["v=spf1 include:x.example a:mail.acme.example -all"], "right"),
        ("spf", "v=spf1 a:mail.acme.example ~all", ["v=spf1 mx -all"], "right"),
        ("spf", "v=spf1 a:mail.acme.example ~all", ["v=spf1 -all", "google-site-verification=x"], "wrong"),
        ("spf", "v=spf1 a:mail.acme.example ~all", ["v=spf1 mx -all", "v=spf1 a -all"], "wrong"),
        ("spf", "v=spf1 a:mail.acme.example ~all", ["other"], "missing"),
        ("dkim", "v=DKIM1; k=rsa; p=ABC", ["v=DKIM1; p=A BC"], "right"),
        ("dkim", "v=DKIM1; k=rsa; p=ABC", ["v=DKIM1; p=XYZ"], "wrong"),
        ("dkim", "v=DKIM1; k=rsa; p=ABC", [], "missing"),
    ],
)
def test_dns_records_are_judged(kind: str, wanted: str, found: list[str], state: str) -> None:
    assert judge(Record(kind, "TXT", "acme.example", wanted), found).state == state


def test_a_dkim_record_is_the_public_half() -> None:
    pem = _private_pem()
    record = public_record(pem)
    assert record.startswith("v=DKIM1; k=rsa; p=MIIB")
    assert "PRIVATE" not in record
    assert mail_host("https://help.acme.example:8443/x") == "help.acme.example"


def test_services_in_words() -> None:
    lags = [{"group": "router.place", "topic": "email.received", "lag": 12, "lost": False},
            {"group": "router.audit", "topic": "email.received", "lag": 900, "lost": False}]  # fmt: skip
    row = service("router", {"state": "ready"}, lags, None, 8)
    assert (row["tone"], row["lag"]) == ("good", "12 records")
    down = service("outbound", {"state": "down", "reason": "does not answer"}, None, None, 8)
    assert (down["tone"], down["words"], down["lag"]) == ("bad", "Does not answer", None)
    assert behind(8, 8) == "up to date"
    assert rate(None, (1.0, 5.0)) is None
    assert rate((0.0, 0.0), (60.0, 90.0)) == "90 a minute"
    assert rate((0.0, 90.0), (60.0, 3.0)) is None, "a restarted service counts anew"


def test_the_audit_trail_in_words() -> None:
    entry = {"at": "x", "action": "address.changed", "actor": {"kind": "agent", "name": "Ana"},
             "subject": {"name": "s@acme.example"}, "changes": {"active": [True, False], "queue_id": [None, "q1"]}}  # fmt: skip
    told = audit_entry(entry)
    assert told["words"] == "Changed address s@acme.example"
    assert told["changes"] == [("active", "on → off"), ("queue_id", "q1")]
    assert change_words([{"enabled": False}, {"enabled": True}]) == "enabled: off → enabled: on"
