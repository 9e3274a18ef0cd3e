"""One mail through the real router: a ticket, an agent, an answer; and what an agent may not do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mailroom_contracts import Actor, AutoReplyCommand, DeliveryReport, Person, ids, topics
from mailroom_runtime.redis.presence import Presence
from mailroom_runtime.redis.valkey import connect
from support.processes import ServiceProcess
from support.router_world import World, check_consistent, mail
from support.waiting import eventually

Starter = Callable[..., ServiceProcess]


async def test_a_mail_becomes_an_assigned_ticket_and_the_conversation_stays_on_it(
    world: World, start_service: Starter
) -> None:
    redis = connect(world.settings.redis)
    await Presence(redis, world.settings.topic_prefix).set("p1", "a1", "online")
    router = start_service("router", world.env())
    first = mail(1)
    await world.put(first)

    async def assigned() -> object:
        states = await world.states()
        assert len(states) == 1
        return next(iter(states.values())).assignee_id == "a1"

    await eventually(assigned, 20)
    (state,) = (await world.states()).values()
    assert (state.queue_id, state.address_id, state.status) == ("q1", "ad1", "open")
    assert [e.type for e in await world.events()] == [
        "ticket.created", "ticket.message_added", "ticket.assigned",
    ]  # fmt: skip
    assert {e.causation_id for e in await world.events()} == {first.id}

    # the automatic reply, as autoreply asks for it; a second one is refused
    for key in ("auto", "again"):
        await world.producer.send(
            topics.TICKET_COMMANDS,
            AutoReplyCommand(
                id=ids.command_id("p1", state.id, key), ticket_id=state.id, portal_id="p1",
                actor=Actor(kind="autoreply"), at=datetime.now(UTC), receipt_id=first.id, address_id="ad1",
                to=Person(email="jo@customer.example"), subject="We got it", text="Dear Jo",
                not_after=datetime.now(UTC) + timedelta(hours=24),
            ),
        )  # fmt: skip

    async def auto_replied() -> object:
        return len(await world.events(state.id)) >= 5

    await eventually(auto_replied, 15)
    (order,) = await world.outbound()
    assert order.kind == "auto_reply"
    assert order.in_reply_to == "m1@customer.example"
    assert order.auto_submitted == "auto-replied"
    assert order.references[-1] == order.in_reply_to
    assert order.references[-2].endswith("@ref.mailroom.invalid"), "a mark of ours before the parent"
    assert order.reply_to[0].email.startswith("support+")
    refused = (await world.events(state.id))[-1]
    assert (refused.type, getattr(refused, "code", "")) == ("ticket.command_refused", "already_auto_replied")

    # the customer answers it, from a client that keeps only our id
    await world.put(mail(2, subject="Re: We got it", in_reply_to=[order.rfc_message_id]))
    # and an agent may not reply from an address that only receives
    command = await world.reply(state)

    async def both() -> object:
        events = await world.events(state.id)
        return any(e.causation_id == command.id for e in events) and len(events) >= 7

    await eventually(both, 15)
    events = await world.events(state.id)
    (refused,) = [e for e in events if e.causation_id == command.id]
    assert getattr(refused, "code", "") == "receive_only"
    assert "only receives" in getattr(refused, "reason", "")
    assert len(await world.states()) == 1
    check_consistent(await world.events(), await world.states())

    # from an SMTP address of the queue it may
    command = await world.reply(state, "2", from_address_id="ad3")

    async def ordered() -> object:
        return [o for o in await world.outbound() if o.kind == "reply"]

    (reply,) = await eventually(ordered, 15)
    assert reply.address_id == "ad3"
    assert reply.to[0].email == "jo@customer.example"
    assert reply.quote.text == "Where is my order 2?"
    await world.producer.send(
        topics.EMAIL_DELIVERY,
        DeliveryReport(outbound_id=reply.id, portal_id="p1", ticket_id=state.id, message_id=reply.message_id,
                       address_id="ad3", state="sent", attempt=1, at=datetime.now(UTC)),
    )  # fmt: skip

    async def sent() -> object:
        found = (await world.states())[state.id].messages[-1].delivery
        return found is not None and found.state == "sent"

    await eventually(sent, 15)
    assert router.terminate() == 0
    await redis.aclose()
