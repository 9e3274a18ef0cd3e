"""Bad input and broken dependencies: poison, wrong partitions, lost offsets, Redis stopped and emptied."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from mailroom_contracts import Actor, AddNote, DeliveryReport, header, ids, topics
from mailroom_router.second_step import partition_of
from mailroom_runtime.bus import topic_admin
from mailroom_runtime.bus.groups import GROUPS
from mailroom_runtime.redis.presence import Presence
from mailroom_runtime.redis.valkey import connect
from support.known import known_by
from support.processes import ServiceProcess
from support.router_world import World, check_consistent, mail
from support.servers import ValkeyServer
from support.waiting import eventually

Starter = Callable[..., ServiceProcess]


async def tickets(world: World, wanted: int, timeout: float = 30) -> None:
    async def there() -> object:
        found = await world.states()
        assert len(found) == wanted, f"{len(found)} tickets"
        return True

    await eventually(there, timeout, every=0.3)


async def test_poison_on_every_input_goes_to_its_dead_letters_and_stops_nothing(
    world: World, start_service: Starter
) -> None:
    inputs = (topics.EMAIL_RECEIVED, topics.EMAIL_ROUTED, topics.TICKET_COMMANDS, topics.EMAIL_DELIVERY)
    poison = {
        topics.EMAIL_RECEIVED: b'{"id": "x"}', topics.EMAIL_ROUTED: b"\xff\x00 not json",
        topics.TICKET_COMMANDS: b'{"type": "ticket.reply", "id": 3}', topics.EMAIL_DELIVERY: b"[]",
    }  # fmt: skip
    router = start_service("router", world.env())
    for topic in inputs:
        name = topic.full_name(world.settings.topic_prefix)
        await (await world.producer.post_raw(name, key=b"k", value=poison[topic], headers=[("mine", b"kept")]))
        await (await world.producer.post_raw(name, key=b"k", value=None, headers=[]))
    # a config record that nobody can read must not stop the router either
    addresses = topics.ADDRESSES.full_name(world.settings.topic_prefix)
    await (await world.producer.post_raw(addresses, key=b"broken", value=b"{}", headers=[]))
    await world.put(mail(1))
    await tickets(world, 1)
    for topic in inputs:

        async def buried(topic: object = topic) -> object:
            return len(await world.records(topic, dead=True)) == 2  # type: ignore[arg-type]

        await eventually(buried, 20)
        dead = [r for r in await world.records(topic, dead=True) if r.value is not None]
        assert [r.value for r in dead] == [poison[topic]], "byte for byte"
        assert header(dead[0].headers, "mine") == "kept"
        assert header(dead[0].headers, "mailroom_topic") == topic.full_name(world.settings.topic_prefix)
        assert header(dead[0].headers, "mailroom_service") == "router"
        assert header(dead[0].headers, "mailroom_error")
    assert router.ready


async def test_commands_on_the_wrong_partition_of_unknown_tickets_and_types_all_have_an_outcome(
    world: World, start_service: Starter
) -> None:
    await world.put(mail(1))
    start_service("router", world.env())
    await tickets(world, 1)
    (state,) = (await world.states()).values()
    right = partition_of(state.id, world.settings.partitions)
    at = datetime.now(UTC)
    note = AddNote(id="c-note", ticket_id=state.id, portal_id="p1", actor=Actor(kind="api"), at=at, text="Called.")
    await world.producer.send(topics.TICKET_COMMANDS, note, partition=(right + 1) % world.settings.partitions)
    lost = note.model_copy(update={"id": "c-lost", "ticket_id": ids.derive("nothing")})
    await world.producer.send(topics.TICKET_COMMANDS, lost)
    strange = note.model_dump_json().replace("ticket.add_note", "ticket.dance").replace("c-note", "c-dance").encode()
    name = topics.TICKET_COMMANDS.full_name(world.settings.topic_prefix)
    await (await world.producer.post_raw(name, key=state.id.encode(), value=strange, headers=[]))
    probe = DeliveryReport(outbound_id="o", portal_id="p1", ticket_id="ad3", message_id="m", address_id="ad3",
                           kind="probe", state="sent", at=at)  # fmt: skip
    await world.producer.send(topics.EMAIL_DELIVERY, probe)

    async def answered() -> object:
        causes = {e.causation_id: e for e in await world.events()}
        return {"c-note", "c-lost", "c-dance", probe.ce_id} <= set(causes) and causes

    causes = await eventually(answered, 20)
    assert causes["c-note"].type == "ticket.note_added"
    assert (causes["c-lost"].code, causes["c-lost"].version) == ("unknown_ticket", 0)
    assert causes["c-dance"].code == "unknown_type"
    assert causes[probe.ce_id].type == "ticket.input_ignored"
    (record,) = [
        r for r in await world.records(topics.TICKET_EVENTS) if header(r.headers, "ce_causationid") == "c-note"
    ]
    assert record.partition == right
    check_consistent(await world.events(), await world.states())


async def test_same_mail_twice_two_mails_with_one_id_and_one_mail_to_two_queues(
    world: World, start_service: Starter
) -> None:
    start_service("router", world.env())
    first = mail(1)
    await world.put(first, first, mail("1b", message_id="m1@customer.example", subject="Another parcel"))
    await tickets(world, 1)

    async def both() -> object:
        (state,) = (await world.states()).values()
        return state.message_count == 2

    await eventually(both, 20)
    await world.put(mail(2, rcpt=("support@acme.example", "sales@acme.example")))
    await tickets(world, 3)
    assert sorted(s.queue_id for s in (await world.states()).values()) == ["q1", "q1", "q2"]
    # a stranger who knows the number, once the index knows it too
    (state,) = [s for s in (await world.states()).values() if s.root == "m1@customer.example"]
    redis = connect(world.settings.redis)
    await eventually(lambda: known_by(redis, world.settings.topic_prefix, "n", state.number), 10)
    await redis.aclose()
    await world.put(mail(3, sender="eve@else.example", subject=f"Re: [{state.number}]"))
    await tickets(world, 4)
    (hers,) = [s for s in (await world.states()).values() if s.customer.email == "eve@else.example"]
    assert hers.linked_to == state.id
    await world.put(mail(4, subject=f"Re: [{state.number}]"))

    async def added() -> object:
        return (await world.states())[state.id].message_count == 3

    await eventually(added, 20)
    check_consistent(await world.events(), await world.states())


async def test_lost_offsets_stop_the_router_with_words(world: World, start_service: Starter, tmp_path: Path) -> None:
    """Topics whose groups have no offsets, as after their loss; then only the second step's are missing."""
    old = world.settings
    bare = World(old.kafka, old.redis, f"{old.topic_prefix}x", tmp_path / "bare")
    admin = AIOKafkaAdminClient(bootstrap_servers=old.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(name, 4, 1) for name in topic_admin.wanted(bare.settings)])
    await admin.close()
    await bare.configure()
    await bare.put(mail(1))
    for group in ("router.place", "router.tickets"):
        process = start_service("router", bare.env(), ready=False)
        assert process.wait(90) == 1
        assert f"--start-group {group}=end" in process.output(), process.tail()
        for topic in GROUPS[group]:
            await bare.skip(topic, group)
    assert await bare.states() == {}
    start_service("router", bare.env())
    await bare.put(mail(2))
    await tickets(bare, 1)
    await bare.end()


async def test_valkey_stopped_and_emptied_tickets_are_made_then_assigned_and_the_index_comes_back(
    world: World, valkey: ValkeyServer, start_service: Starter
) -> None:
    redis = connect(world.settings.redis)
    prefix = world.settings.topic_prefix
    await Presence(redis, prefix).set("p1", "a1", "online")
    start_service("router", world.env())
    await world.put(mail(1))

    async def assigned() -> object:
        return all(s.assignee_id == "a1" for s in (await world.states()).values())

    await tickets(world, 1)
    await eventually(assigned, 15)
    (first,) = (await world.states()).values()

    valkey.stop()
    stopped = time.monotonic()
    await world.put(mail(2, sender="two@customer.example"))
    await tickets(world, 2)
    assert time.monotonic() - stopped < 20, "Redis away blocks no mail"
    waiting = [s for s in (await world.states()).values() if s.assignee_id is None]
    assert [s.wants_online for s in waiting] == [True]
    # an answer finds its ticket without any index, by the mail's own root
    await world.put(mail(3, references=["m1@customer.example"]))

    async def added() -> object:
        return (await world.states())[first.id].message_count == 2

    await eventually(added, 20)

    valkey.start(empty=True)
    await Presence(redis, prefix).set("p1", "a1", "online")
    await eventually(assigned, 30)

    async def index_back() -> object:
        loads = await redis.scard(f"{prefix}:load:p1:a1")
        return loads == 2 and await known_by(redis, prefix, "n", first.number) == [first.id]

    await eventually(index_back, 20)
    # emptied while it runs: noticed, and rebuilt
    valkey.flush()
    await eventually(index_back, 20)
    await world.put(mail(5, subject=f"Again: {first.number}"))

    async def again() -> object:
        return (await world.states())[first.id].message_count == 3

    await eventually(again, 20)
    check_consistent(await world.events(), await world.states())
    await redis.aclose()


async def test_waiting_tickets_are_given_out_when_an_agent_comes_online_oldest_first(
    world: World, start_service: Starter
) -> None:
    start_service("router", world.env())
    await world.put(*[mail(n, sender=f"c{n}@customer.example") for n in range(12)])
    await tickets(world, 12)
    assert all(s.wants_online for s in (await world.states()).values())
    redis = connect(world.settings.redis)
    presence = Presence(redis, world.settings.topic_prefix)
    await presence.set("p1", "a2", "online")
    await presence.set("p1", "a1", "away")

    async def given() -> object:
        return all(s.assignee_id == "a2" for s in (await world.states()).values())

    await eventually(given, 30)
    events = await world.events()
    assert {getattr(e, "reason", "") for e in events if e.type == "ticket.assigned"} == {"came_online"}
    check_consistent(events, await world.states())
    await redis.aclose()
