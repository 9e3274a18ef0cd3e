"""Commands as other systems' clients write them: unreadable, compressed by any codec, wrong; none of them stops the router."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime

from mailroom_contracts import Actor, AddNote, TicketState, topics
from mailroom_runtime.bus.kafka import partition_of
from support.forking import run
from support.odd_records import CODECS, put_compressed, put_unreadable
from support.processes import REPOSITORY, ServiceProcess
from support.router_world import World, mail
from support.waiting import eventually

Starter = Callable[..., ServiceProcess]


def cli(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **world.env(), "MAILROOM_URL": "http://127.0.0.1:1"}
    return run("mailroom_cli", arguments, REPOSITORY, env)


def note(state: TicketState, key: str) -> AddNote:
    return AddNote(id=key, ticket_id=state.id, portal_id="p1", actor=Actor(kind="api"), at=datetime.now(UTC), text=key)


async def answered(world: World, *causes: str) -> object:
    return set(causes) <= {event.causation_id for event in await world.events()}


async def test_one_that_cannot_be_read_stops_its_partition_of_commands_until_it_is_given_up(
    world: World, start_service: Starter
) -> None:
    router = start_service("router", world.env())
    auditor = start_service("router", world.env(), module="mailroom_router.audit")
    await world.put(mail(1))
    await eventually(world.states, 20)
    (state,) = (await world.states()).values()
    name = topics.TICKET_COMMANDS.full_name(world.settings.topic_prefix)
    partition = partition_of(state.id.encode(), world.settings.partitions)
    offset = await put_unreadable(world.settings.kafka, name, partition, key=state.id.encode())
    await world.producer.send(topics.TICKET_COMMANDS, note(state, "behind"))

    for process in (router, auditor):
        await eventually(lambda process=process: not process.ready, 30)
        assert f"mailroom records skip {name} {partition} {offset}" in process.get("/health")[1]
    # mail goes on, that of the same ticket included
    await world.put(mail(2), mail(3, in_reply_to=["m1@customer.example"]))
    await eventually(lambda: answered(world, mail(2).id, mail(3, in_reply_to=["m1@customer.example"]).id), 20)
    assert not await answered(world, "behind")
    seen = cli(world, "doctor", "--json")
    (check,) = [c for c in json.loads(seen.stdout.splitlines()[0])["checks"] if c["check"] == "records"]
    assert not check["ok"]
    assert f"{name} partition {partition} offset {offset}" in check["says"]

    done = cli(world, "records", "skip", "ticket.commands", str(partition), str(offset), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["next_offset"] == offset + 1
    await eventually(lambda: answered(world, "behind"), 20)
    await eventually(lambda: router.ready and auditor.ready, 10)
    (dead,) = await world.records(topics.TICKET_COMMANDS, dead=True)
    assert b"\xff\xfe\xff\xfe" in dead.value
    headers = dict(dead.headers)
    assert (headers["mailroom_partition"], headers["mailroom_offset"]) == (b"%d" % partition, b"%d" % offset)

    # a router that starts anew meets nothing of it
    assert router.terminate() == 0
    again = start_service("router", world.env())
    await world.producer.send(topics.TICKET_COMMANDS, note(state, "later"))
    await eventually(lambda: answered(world, "later"), 20)
    assert again.ready


async def test_every_codec_and_every_mistake_is_answered(world: World, start_service: Starter) -> None:
    router = start_service("router", world.env())
    await world.put(mail(1))
    await eventually(world.states, 20)
    (state,) = (await world.states()).values()
    name = topics.TICKET_COMMANDS.full_name(world.settings.topic_prefix)
    for codec in CODECS:
        command = note(state, codec)
        await put_compressed(
            world.settings.kafka, codec, name, state.id.encode(), [command.model_dump_json().encode()],
            [("ce_type", b"ticket.add_note")],
        )  # fmt: skip
    await eventually(lambda: answered(world, *CODECS), 20)
    # more wrong ones in a row than dead letters may be, then one that says nothing at all, many times
    wrong = [note(state, f"wrong{n}").model_dump(mode="json") | {"at": "2026-11-30T09:00:00"} for n in range(60)]
    for value in [json.dumps(w).encode() for w in wrong] + [b"\xff"] * 60:
        await (await world.producer.post_raw(name, key=state.id.encode(), value=value, headers=[]))
    await world.producer.send(topics.TICKET_COMMANDS, note(state, "right"))
    await eventually(lambda: answered(world, *(f"wrong{n}" for n in range(60)), "right"), 30)
    refused = [e for e in await world.events() if e.type == "ticket.command_refused"]
    assert len(refused) == 60
    assert {e.code for e in refused} == {"malformed"}  # type: ignore[attr-defined]
    assert len(await world.records(topics.TICKET_COMMANDS, dead=True)) == 60
    assert router.running
    assert router.ready
