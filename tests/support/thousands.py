"""A portal with a thousand of everything, put into a console's database as the console keeps it.

A table that nothing is put into must be named in `APART`, so that a new one is thought of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mailroom_console import times
from mailroom_console.read_model import store
from mailroom_console.storage.database import Database
from mailroom_console.storage.read_schema import GENERATIONS, ReadTables
from mailroom_console.storage.schema import metadata
from mailroom_contracts import Actor, Expire
from sqlalchemy import Connection, Table, insert, select, update

from .console_story import Story

N = 1000
MOST_DOMAINS = 200  # what the API takes at most: `configuration_bodies.Domains`
MOST_CANNED = 500
MOST_BLOCKED = 5000
MOST_MESSAGES = 500  # of a ticket that takes no more
APART = {"generations", "dead_offsets", "login_failures", "outbox"}  # neither of a portal nor on any page

Row = dict[str, Any]


@dataclass
class Crowd:
    """What there is: ids by the name that a route's path gives them."""

    portal: str
    queue: str
    address: str
    domain: str
    ids: dict[str, str] = field(default_factory=dict)
    filled: set[str] = field(default_factory=set)

    def story(self, number: int, queue: str = "") -> Story:
        """Of a ticket of one customer."""
        return Story(
            number, portal=self.portal, queue=queue or self.queue, address=self.address, customer="jo@c.example"
        )


async def fill(database: Database, crowd: Crowd, number: int = N) -> None:
    """A thousand of each thing, in one transaction."""
    await database.transact(lambda connection: _fill(connection, crowd, number, database.sqlite))


def left_out() -> set[str]:
    """Tables that should hold something."""
    return {table.name for table in metadata.sorted_tables if not table.name.startswith("rm1_")} - APART


def _fill(connection: Connection, crowd: Crowd, number: int, sqlite: bool) -> None:
    portal, domain = crowd.portal, crowd.domain
    rows = _Rows(connection, crowd)
    queue, agent, address = rows.one("queues"), rows.one("agents"), rows.one("addresses")
    at = queue["created_at"]
    rows.add("queues", number, lambda i: queue | {"id": f"{portal}q{i}", "name": f"Queue {i}"})
    rows.add(
        "agents", number, lambda i: agent | {"id": f"{portal}a{i}", "email": f"a{i}@{domain}", "name": f"Agent {i}"}
    )
    everybody = [("queue_id", f"{portal}q{{}}", "agent_id", crowd.ids["agent_id"]),
                 ("agent_id", f"{portal}a{{}}", "queue_id", crowd.queue)]  # fmt: skip
    for one, many, other, same in everybody:
        rows.add("queue_agents", number, lambda i: {one: many.format(i), other: same})  # noqa: B023
    rows.add("addresses", number, lambda i: address | {
        "id": f"{portal}d{i}", "email": f"box{i}@{domain}", "queue_id": f"{portal}q{i}"})  # fmt: skip
    rows.add(
        "domains", MOST_DOMAINS - 1, lambda i: {"portal_id": portal, "domain": f"d{i}.{domain}", "position": i + 1}
    )
    key = {"selector": "mailroom1", "secret": "sealed", "record": "v=DKIM1; k=rsa; p=" + "A" * 392}
    connection.execute(
        update(_table("portals")).where(_table("portals").c.id == portal)
        .values(dkim=[key | {"domain": f"d{i}.{domain}"} for i in range(MOST_DOMAINS - 1)])
    )  # fmt: skip
    rows.add(
        "portals", number, lambda i: rows.one("portals", "id") | {"id": f"{portal}p{i}", "name": f"P{i}", "dkim": []}
    )
    rows.add("canned", MOST_CANNED, lambda i: {
        "portal_id": portal, "id": f"{portal}c{i}", "name": f"Answer {i}", "text": "Hello. " * 100, "updated_at": at,
        "queue_id": f"{portal}q{i}" if i % 2 else None})  # fmt: skip
    rows.add(
        "blocked", MOST_BLOCKED, lambda i: {"portal_id": portal, "at": at, "by_name": "", "entry": f"spam{i}@{domain}"}
    )
    rows.add("api_tokens", number, lambda i: {
        "id": f"{portal}t{i}", "portal_id": portal, "name": f"T{i}", "digest": _digest(portal, "token", i),
        "scopes": ["read"], "created_at": at})  # fmt: skip
    rows.add("sessions", number, lambda i: {
        "id": _digest(portal, "session", i), "agent_id": crowd.ids["agent_id"], "csrf": "x", "created_at": at,
        "seen_at": at, "expires_at": at + times.DAY})  # fmt: skip
    rows.add("invitations", number, lambda i: {
        "id": _digest(portal, "invitation", i), "agent_id": f"{portal}a{i}", "expires_at": at + times.DAY})  # fmt: skip
    rows.add("oauth_states", number, lambda i: {
        "state": _digest(portal, "state", i), "portal_id": portal, "verifier": "x", "principal": "x",
        "expires_at": at + times.DAY})  # fmt: skip
    rows.add("uploads", number, lambda i: {
        "id": f"{portal}u{i}", "portal_id": portal, "filename": "x", "content_type": "x/y", "size": 1, "blob_key": "x",
        "created_at": at})  # fmt: skip
    crowd.ids["upload_id"] = f"{portal}u0"
    rows.add("erasures", number, lambda i: {
        "id": f"{portal}e{i}", "portal_id": portal, "kind": "person", "subject": _digest("erased", i), "state": "done",
        "asked_at": at, "done_at": at, "removed": {}, "unreadable_at": at, "gone_at": at})  # fmt: skip
    expire = Expire(id="x", ticket_id="x", portal_id=portal, actor=Actor(kind="console"), at=times.moment(at),
                    closed_before=times.moment(at))  # fmt: skip
    rows.add("expiries", number, lambda i: {
        "ticket_id": f"{portal}x{i}", "portal_id": portal, "kind": "ticket", "command_id": f"{portal}x{i}",
        "command": expire.model_dump_json(by_alias=True, exclude_none=True), "blobs": [], "messages": 1})  # fmt: skip
    rows.add("log_renewals", number, lambda i: {
        "partition": i, "state": "idle", "asked_at": at, "asked_by": "x", "renewed_to": at, "problem": ""})  # fmt: skip
    rows.add("idempotency", number, lambda i: {"command_id": f"{portal}i{i}", "digest": "x", "at": at})
    rows.add("forwarding_checks", number, lambda i: {
        "id": f"{portal}f{i}", "portal_id": portal, "address_id": crowd.address, "message_id": "x", "state": "failed",
        "started_at": at})  # fmt: skip
    rows.add("audit", number, lambda i: {
        "portal_id": portal, "at": at, "actor_kind": "session", "actor_name": "Ana", "action": "queue.changed",
        "subject_kind": "queue", "subject_id": crowd.queue, "revision": i + 2, "changes": {"name": ["a", f"b{i}"]}})  # fmt: skip
    rows.add("dead_letters", number, lambda i: {
        "topic": "email.received", "partition": 0, "offset": _number(portal, i), "portal_id": portal, "headers": [],
        "state": "new", "error": "x", "value": b'{"x": "' + b"x" * 20_000 + b'"}'})  # fmt: skip
    dead = _table("dead_letters")
    crowd.ids["dead_id"] = str(connection.scalar(select(dead.c.seq).where(dead.c.portal_id == portal).limit(1)))
    _fill_read_model(connection, crowd, rows, number, sqlite)
    crowd.ids |= {"canned_id": f"{portal}c1", "portal_id": portal, "queue_id": crowd.queue, "address_id": crowd.address}


def _fill_read_model(connection: Connection, crowd: Crowd, rows: _Rows, number: int, sqlite: bool) -> None:
    """Tickets as the projection writes them; one is as long as a ticket gets, and all are of one customer."""
    tables = _shown(connection)
    full = crowd.story(0)
    events: list[Any] = [full.created()]
    for i in range(MOST_MESSAGES - 1):
        events.append(
            full.mail(f"Where is order {i}? " + "It was to come on Monday. " * 20, cause=f"{crowd.portal}m{i}")
        )
        events.append(full.assigned(f"{crowd.portal}a{i}"))
    note = full.note("As he said.", f"{crowd.portal}note", Actor(kind="agent", id=crowd.ids["agent_id"], name="Ana"))
    events.append(note)
    for i in range(1, number + 1):
        story = crowd.story(i, f"{crowd.portal}q{i - 1}" if i % 2 else crowd.queue)
        events += [story.created(f"Order {i}"), story.mail(f"Where is order {i}?")]
        if i % 3 == 0:
            events.append(story.assigned(crowd.ids["agent_id"] if i % 2 else f"{crowd.portal}a{i - 1}"))
        if i % 5 == 0:
            events.append(reply := story.reply(f"{crowd.portal}r{i}"))
            events.append(story.delivery(reply, "failed", "550 no such user"))
    batch = store.load(connection, tables, events)
    for event in events:
        batch.apply(event)
    store.save(connection, tables, batch, sqlite_=sqlite)
    g = f"rm{tables.generation}_"
    others = connection.execute(select(tables.tickets.c.id).where(tables.tickets.c.id != full.ticket)).scalars().all()
    rows.add(f"{g}tags", number, lambda i: {
        "portal_id": crowd.portal, "ticket_id": others[i], "tag": f"tag {i}", "name": f"Tag {i}"})  # fmt: skip
    rows.add(f"{g}bounces", number, lambda i: {
        "portal_id": crowd.portal, "id": f"{crowd.portal}b{i}", "at": i, "reason": "x", "receipt_id": None,
        "document": note.message.model_dump_json()})  # fmt: skip
    day = times.day_of(times.micros(times.now()))
    rows.add(f"{g}counters", number, lambda i: {
        "portal_id": crowd.portal, "address_id": f"{crowd.portal}d{i}", "day": day, "hour": i % 24, "mails_in": 1,
        "mails_out": 1})  # fmt: skip
    crowd.filled |= {table.name for table in tables.all} - {f"{g}offsets"}
    crowd.filled.add(f"{g}offsets")  # the console's own
    drafts = {
        "ticket_id": full.ticket,
        "portal_id": crowd.portal,
        "key": "x",
        "content": {"text": "Dear Jo"},
        "updated_at": 1,
    }
    rows.add("drafts", number, lambda i: drafts | {"agent_id": f"{crowd.portal}a{i}"})
    crowd.ids |= {"ticket_id": full.ticket, "message_id": events[1].message.id}


class _Rows:
    """Puts rows in."""

    def __init__(self, connection: Connection, crowd: Crowd) -> None:
        self._connection, self._crowd = connection, crowd

    def add(self, name: str, number: int, make: Callable[[int], Row]) -> None:
        """So many of them."""
        columns = set(_table(name).c.keys())
        made = [{k: v for k, v in make(i).items() if k in columns} for i in range(number)]
        self._connection.execute(insert(_table(name)), made)
        self._crowd.filled.add(name)

    def one(self, name: str, of: str = "portal_id") -> Row:
        """Some row of the portal."""
        table = _table(name)
        found = self._connection.execute(select(table).where(table.c[of] == self._crowd.portal).limit(1)).one()
        return dict(found._mapping)


def _table(name: str) -> Table:
    return metadata.tables[name]


def _shown(connection: Connection) -> ReadTables:
    generations = _table("generations")
    number = connection.scalar(select(generations.c.id).where(generations.c.state == "active"))
    return GENERATIONS[number or 0]


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _number(*parts: object) -> int:
    return int(_digest(*parts)[:12], 16)
