"""Events to rows: the rules that make repeats, late records and other orders harmless."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from mailroom_console.read_model.addressed import addressed
from mailroom_console.read_model.projection import Batch
from mailroom_console.times import micros
from mailroom_contracts import (
    Actor,
    Assigned,
    CommandRefused,
    Delivery,
    DeliveryChanged,
    Erased,
    InputIgnored,
    MessageAdded,
    Person,
    ReplyRequested,
    SenderConfirmed,
    StatusChanged,
    TicketCreated,
    TicketEvent,
    TicketMessage,
)

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


def common(version: int, kind: str = "", **more: Any) -> dict[str, Any]:
    at = NOW + timedelta(seconds=version)
    base = {"id": f"e{version}{kind}", "ticket_id": "t1", "portal_id": "p1", "version": version, "at": at,
            "causation_id": f"c{version}{kind}", "actor": Actor(kind="router")}  # fmt: skip
    return base | more


def created() -> TicketCreated:
    return TicketCreated(**common(1), number="MR-1", queue_id="q1", address_id="ad1", subject="Kettle",
                         customer=Person(email="jo@c.example", name="Jo"), root="r", receipt_id="c1",
                         received_at=NOW)  # fmt: skip


def message(version: int, direction: str = "in", kind: str = "mail", **more: Any) -> TicketMessage:
    return TicketMessage(id=f"m{version}", direction=direction, kind=kind, text=f"text {version}", address_id="ad1",
                         from_=Person(email="jo@c.example"), at=NOW + timedelta(seconds=version), **more)  # fmt: skip


def mail(version: int, **more: Any) -> MessageAdded:
    return MessageAdded(**common(version), message=message(version, **more))


def reply(version: int, actor: str = "agent") -> ReplyRequested:
    return ReplyRequested(
        **common(version, actor=Actor(kind=actor, id="a1")), outbound_id=f"o{version}",
        message=message(version, "out", "reply", outbound_id=f"o{version}", delivery=Delivery(state="queued")),
    )  # fmt: skip


def delivered(version: int, of: ReplyRequested, state: str) -> DeliveryChanged:
    return DeliveryChanged(**common(version), message_id=of.message.id, outbound_id=of.outbound_id,
                           delivery=Delivery(state=state))  # fmt: skip


def applied(*events: TicketEvent, batch: Batch | None = None) -> Batch:
    batch = batch or Batch({}, {})
    for event in events:
        batch.apply(event)
    return batch


def test_waiting_means_the_customer_wrote_last() -> None:
    batch = applied(created(), mail(2))
    ticket = batch.tickets["t1"]
    assert ticket["waiting"] is True
    applied(reply(3), batch=batch)
    assert ticket["waiting"] is False
    applied(mail(4), batch=batch)
    assert ticket["waiting"] is True
    applied(StatusChanged(**common(5), status="closed", previous="open"), batch=batch)
    assert ticket["waiting"] is False
    assert (ticket["message_count"], ticket["version"], ticket["updated_at"]) == (3, 5, micros(NOW) + 5_000_000)


def test_an_out_of_office_note_does_not_wait_for_an_answer() -> None:
    batch = applied(created(), mail(2), reply(3), mail(4, kind="out_of_office"))
    assert batch.tickets["t1"]["waiting"] is False


def test_failed_counts_messages_not_reports() -> None:
    out = reply(2)
    batch = applied(created(), out, delivered(3, out, "deferred"), delivered(4, out, "failed"))
    assert batch.tickets["t1"]["failed"] == 1
    applied(delivered(5, out, "bounced"), batch=batch)
    assert batch.tickets["t1"]["failed"] == 1
    resent = out.model_copy(update={"version": 6, "id": "e6r", "resend": True, "outbound_id": "o6"})
    applied(resent, delivered(7, out, "sent"), batch=batch)
    assert batch.tickets["t1"]["failed"] == 0
    assert batch.messages["m2"]["outbound_id"] == "o6"


def test_an_old_delivery_report_changes_nothing() -> None:
    out = reply(2)
    batch = applied(created(), out, delivered(4, out, "sent"), delivered(3, out, "deferred"))
    assert batch.messages["m2"]["delivery_state"] == "sent"


def test_mails_are_counted_once_in_the_hour_they_came() -> None:
    out = reply(3)
    events = [created(), mail(2), out, delivered(4, out, "sent")]
    batch = applied(*events, *events, delivered(5, out, "sent"))
    ((key, counted),) = batch.counters.items()
    assert (key[0], key[2], counted) == ("ad1", 9, [1, 1])


def test_a_refusal_is_an_outcome_and_touches_no_ticket() -> None:
    refused = CommandRefused(**common(0, actor=Actor(kind="agent")), command_type="ticket.reply", code="receive_only",
                             reason="It only receives.")  # fmt: skip
    batch = applied(refused)
    assert batch.orphans == 0
    assert not batch.changed_tickets
    assert (batch.outcomes["c0"]["code"], batch.outcomes["c0"]["type"]) == ("receive_only", "ticket.command_refused")
    ignored = InputIgnored(**common(1), input_type="ticket.commands", code="already_known")
    assert applied(refused, ignored.model_copy(update={"causation_id": "c0"})).outcomes["c0"]["code"] == "receive_only"


def test_mail_makes_no_outcome_rows() -> None:
    assert applied(created(), mail(2)).outcomes == {}
    assert set(applied(created(), reply(2)).outcomes) == {"c2"}


def test_of_an_erased_ticket_only_the_erasing_has_an_outcome() -> None:
    asked = reply(2)
    erased = Erased(**common(3, "ticket.erased", causation_id="erase", actor=Actor(kind="console")), reason="person")
    batch = applied(created(), asked, erased)
    assert asked.causation_id != erased.causation_id
    assert set(batch.outcomes) == {"erase"}


def test_an_event_of_an_unknown_ticket_is_counted_and_skipped() -> None:
    assert applied(mail(2)).orphans == 1


def test_confirming_a_sender_reaches_messages_of_the_same_batch() -> None:
    batch = applied(created(), mail(2, new_sender=True), SenderConfirmed(**common(3), email="Jo@C.example"))
    assert batch.new_messages["m2"]["new_sender"] is False
    assert batch.confirmed == [("t1", "jo@c.example")]


def test_needed_rows_are_named() -> None:
    out = reply(2)
    bounce = message(9, kind="bounce")
    changed = delivered(3, out, "bounced").model_copy(update={"bounce": bounce})
    assert addressed([created(), out, changed]) == ({"t1"}, {"m2", "m9"})


EVENTS: list[TicketEvent] = [
    mail(2), Assigned(**common(3), assignee_id="a1"), reply(4), delivered(5, reply(4), "failed"), mail(6),
    StatusChanged(**common(7), status="pending", previous="open"), Assigned(**common(8), assignee_id="a2"),
    delivered(9, reply(4), "sent"), StatusChanged(**common(10), status="closed", previous="pending"),
]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_replays_of_any_stretch_end_where_the_log_ends(data: st.DataObject) -> None:
    """A router that dies writes a stretch again, any number of times: the end is the same, whatever the batches."""
    log: list[TicketEvent] = list(EVENTS)
    for _ in range(data.draw(st.integers(0, 4))):
        end = data.draw(st.integers(1, len(log)))
        begin = data.draw(st.integers(0, end))
        log[end:end] = log[begin:end]
    plain, replayed = applied(created(), *EVENTS), applied(created(), *log)
    assert replayed.tickets == plain.tickets
    assert replayed.messages == plain.messages
    assert replayed.counters == plain.counters
    assert replayed.history == plain.history
