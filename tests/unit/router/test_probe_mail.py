"""A probe of Check forwarding that comes back makes no ticket; a mail that only looks like one does."""

from __future__ import annotations

from mailroom_contracts import InputIgnored, ids
from mailroom_mail import sign_message_id
from mailroom_router.conversation import Known, clues, route
from mailroom_router.placement import Place
from support.router_desk import NOW, run, types
from support.router_world import mail

KEYS = {"k1": b"k" * 32}
CHECK = ids.derive("forwarding-check", "ad9", "1")


def _routed(message_id: str):  # type: ignore[no-untyped-def]
    received = mail(1, at=NOW)
    received = received.model_copy(update={"content": received.content.model_copy(update={"message_id": message_id})})
    (one,) = route(received, [Place("ad1", "q1", received.verdicts)], clues(received, KEYS), Known())
    return one


def test_a_probe_is_told_and_makes_no_ticket() -> None:
    probe = _routed(sign_message_id(CHECK, "probe", "acme.example", KEYS))
    decision = run(None, probe)
    assert types(decision) == ["input_ignored"]
    (told,) = decision.events
    assert isinstance(told, InputIgnored)
    assert (told.code, told.causation_id) == ("probe", probe.receipt_id)
    assert decision.state is None


def test_a_stranger_cannot_have_mail_ignored_by_its_message_id() -> None:
    forged = sign_message_id(CHECK, "probe", "acme.example", {"k1": b"x" * 32})
    assert types(run(None, _routed(forged)))[:2] == ["created", "message_added"]
