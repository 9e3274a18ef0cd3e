"""What servers' answers mean, refusals by address, limits per minute, settings."""

from __future__ import annotations

import pytest
from mailroom_contracts import Address, OutboundMail, Person, Portal
from mailroom_outbound.courier import Deferred, Delivered, Failed, Hold, Outcome
from mailroom_outbound.pace import Pace
from mailroom_outbound.refusals import refusal
from mailroom_outbound.replies import Reply, of_acceptance, of_recipients, of_transaction, of_trouble
from mailroom_outbound.settings import OutboundSettings
from mailroom_outbound.smtp import on_the_wire
from mailroom_runtime.process.settings import problems
from mailroom_runtime.smtp.trouble import SmtpTrouble
from pydantic import ValidationError

LANE, ACCOUNT, MAIL, SESSION = Hold.LANE, Hold.ACCOUNT, Hold.MAIL, Hold.SESSION


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (550, "5.7.1 spam", Failed),
        (552, "5.3.4 Message size exceeds fixed limit", Failed),
        (552, "5.2.2 quota exceeded", Failed),
        (451, "4.7.1 Greylisted", MAIL),
        (452, "4.2.2 The recipient has exceeded their storage quota", MAIL),
        (421, "4.7.0 closing", SESSION),
        (451, "4.7.0 Too many messages in this session, use another session", SESSION),
        (452, "4.3.1 please open a new connection", SESSION),
        (550, "5.7.60 SMTP; Client does not have permissions to send as this sender", ACCOUNT),
        (554, "5.2.252 SendAsDenied; ana@shop.example not allowed to send as help@shop.example", ACCOUNT),
        (550, "5.7.30 Basic authentication is not supported for Client Submission", ACCOUNT),
        (450, "4.7.1 Error: too much mail from 10.0.0.1", LANE),
        (454, "4.7.0 Too many messages, slow down", LANE),
        (550, "5.4.5 Daily sending quota exceeded", LANE),
        (530, "5.7.0 Must issue AUTH first", ACCOUNT),
        (535, "5.7.8 bad token", ACCOUNT),
    ],
)
def test_refusals_of_a_whole_mail(code: int, text: str, expected: type[Outcome] | Hold) -> None:
    outcome = of_transaction(Reply(code, text))
    if isinstance(expected, Hold):
        assert isinstance(outcome, Deferred)
        assert outcome.hold is expected
        assert str(code) in outcome.reason
    else:
        assert isinstance(outcome, expected)


def test_recipients_apart() -> None:
    no, grey = Reply(550, "5.1.1 no such user"), Reply(450, "4.2.0 Greylisted, come back later")
    assert of_recipients({"b": no}, 2) is None
    failed = of_recipients({"a": no, "b": no}, 2)
    assert isinstance(failed, Failed)
    assert {r.status for r in failed.recipients} == {"5.1.1"}
    mixed = of_recipients({"a": no, "b": grey}, 2)
    assert isinstance(mixed, Deferred)
    assert {(r.recipient, r.state) for r in mixed.recipients} == {("a", "failed"), ("b", "deferred")}
    delivered = of_acceptance(Reply(250, "2.0.0 Ok: queued as 4F"), ["a"], {"b": no})
    assert isinstance(delivered, Delivered)
    assert delivered.server_reply == "250 2.0.0 Ok: queued as 4F"
    assert {(r.recipient, r.state) for r in delivered.recipients} == {("a", "sent"), ("b", "failed")}
    later = of_acceptance(Reply(250, "ok"), ["a"], {"b": grey})
    assert isinstance(later, Deferred)
    assert {(r.recipient, r.state) for r in later.recipients} == {("a", "sent"), ("b", "deferred")}
    held = of_recipients({"a": Reply(421, "bye"), "b": no}, 2)
    assert isinstance(held, Deferred)
    assert held.hold is SESSION


def test_words_of_a_server_are_one_short_line() -> None:
    words = Reply(550, "bad\r\nthing\x1b[31m " + "x" * 5000).words
    assert len(words) < 450
    assert words.isprintable()


def test_trouble_in_connecting() -> None:
    assert of_trouble(SmtpTrouble("no_answer", "x", temporary=True)).hold is LANE
    assert of_trouble(SmtpTrouble("login_refused", "x")).hold is ACCOUNT
    assert of_trouble(SmtpTrouble("login_refused", "x", doubtful=True)).hold is Hold.LOGIN


def test_domains_go_over_the_wire_in_ascii() -> None:
    assert on_the_wire("jo@bücher.example") == "jo@xn--bcher-kva.example"
    assert on_the_wire("jo@straße.example") == "jo@xn--strae-oqa.example", "strasse.example is a stranger's"
    assert on_the_wire("jo@ä..example") == "", "no such domain: it is not asked for"
    assert on_the_wire("jo@c.example") == "jo@c.example"
    assert on_the_wire("") == ""


def order(kind: str = "reply", **changes: object) -> OutboundMail:
    return OutboundMail.model_validate(
        {"id": "o1", "portal_id": "p1", "ticket_id": "t1", "address_id": "ad1", "kind": kind,
         "to": [Person(email="jo@c.example")], "created_at": "2026-11-24T12:00:00Z", **changes}
    )  # fmt: skip


def address(kind: str = "internal", **changes: object) -> Address:
    values = {"id": "ad1", "portal_id": "p1", "kind": kind, "email": "s@acme.example", "queue_id": "q1", **changes}
    return Address.model_validate(values)


@pytest.mark.parametrize("kind", ["internal", "smtp", "gmail"])
@pytest.mark.parametrize("what", ["reply", "auto_reply", "test", "probe"])
@pytest.mark.parametrize("active", [True, False])
def test_what_may_leave_from_where(kind: str, what: str, active: bool) -> None:
    """A person's reply never from an internal or inactive address; the system's own tests from any."""
    allowed = what in ("test", "probe") or (active and (what == "auto_reply" or kind != "internal"))
    assert (refusal(order(what), address(kind, active=active), None) is None) == allowed


def test_unknown_foreign_and_switched_off() -> None:
    assert "not exist" in (refusal(order(), None, None) or "")
    assert "another company" in (refusal(order(), address("smtp", portal_id="p2"), None) or "")
    assert "switched off" in (refusal(order("probe"), address(), Portal(id="p1", name="Acme", active=False)) or "")
    assert "no recipient" in (refusal(order(to=[]), address("smtp"), None) or "")
    assert refusal(order("newer_kind"), address("internal"), None) is not None


def test_so_many_a_minute() -> None:
    pace = Pace(2)
    assert pace.wait_s(0.0) == 0
    pace.started(0.0)
    pace.started(10.0)
    assert pace.wait_s(20.0) == 40
    assert pace.wait_s(60.0) == 0
    assert Pace(None).wait_s(0.0) == 0


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("smtp://127.0.0.1:2526", "127.0.0.1", 2526, "optional"),
        ("smtp://relay.example", "relay.example", 25, "optional"),
        ("smtp://u:p%40ss@relay.example:587", "relay.example", 587, "starttls"),
        ("smtps://u:p%40ss@relay.example", "relay.example", 465, "implicit"),
    ],
)
def test_relay_url(url: str, host: str, port: int, tls: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILROOM_RELAY_URL", url)
    account, password = OutboundSettings().relay()
    assert (account.host, account.port, account.tls) == (host, port, tls)
    assert password == ("p@ss" if "@relay" in url else None)
    assert "p@ss" not in repr(OutboundSettings())


@pytest.mark.parametrize(
    ("variable", "value"),
    [("MAILROOM_RELAY_URL", "http://u:topsecret@x"), ("MAILROOM_LANE_LEASE_S", "5"), ("MAILROOM_RETRY_FIRST_S", "-1")],
)
def test_wrong_settings_name_the_variable(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError) as caught:
        OutboundSettings()
    text = "\n".join(problems(caught.value))
    assert variable in text
    assert "topsecret" not in text
