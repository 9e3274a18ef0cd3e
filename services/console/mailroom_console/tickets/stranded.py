"""Tickets that no list would show: their agent or their queue is gone. They are put back where somebody sees them.

It is looked for in what there is, not done when an agent or a queue is deleted: so it also holds for what was deleted
while Kafka was away, for a ticket that opens again a year later, and for a backup that was brought back.
"""

from __future__ import annotations

import asyncio

from mailroom_contracts import Actor, Assign, MoveQueue, TicketCommand, ids, topics
from mailroom_runtime.bus.kafka import BusDown
from mailroom_runtime.process.logs import get_logger
from sqlalchemy import and_, or_, select
from sqlalchemy.exc import DBAPIError

from mailroom_console.context import Console
from mailroom_console.storage.refusals import is_passing
from mailroom_console.storage.schema import addresses, agents, queues

log = get_logger()
EVERY_S = 5.0
AT_ONCE = 200
_SHOWN = ("open", "pending", "snoozed")


async def run(console: Console) -> None:
    """Look for ever; what is away now is looked for again."""
    while True:
        try:
            if console.read.caught_up:
                for command in await found(console):
                    await console.producer.send(topics.TICKET_COMMANDS, command)
                    log.info("ticket.put_right", ticket_id=command.ticket_id, what=command.type)
        except BusDown as problem:
            log.warning("stranded.waiting", reason=str(problem))
        except DBAPIError as error:
            if not is_passing(error):
                raise
        await asyncio.sleep(EVERY_S)


async def found(console: Console) -> list[TicketCommand]:
    """What to ask for, some at once. Asked twice it is one wish: the id stands for the ticket as it is now."""
    t = console.read.tables.tickets
    gone_agent = and_(t.c.assignee_id.is_not(None), or_(agents.c.id.is_(None), agents.c.active.is_(False)))
    query = (
        select(t.c.id, t.c.portal_id, t.c.version, t.c.queue_id, queues.c.id.label("queue"),
               addresses.c.queue_id.label("successor"))
        .outerjoin(agents, and_(agents.c.id == t.c.assignee_id, agents.c.portal_id == t.c.portal_id))
        .outerjoin(queues, and_(queues.c.id == t.c.queue_id, queues.c.portal_id == t.c.portal_id))
        .outerjoin(addresses, and_(addresses.c.id == t.c.address_id, addresses.c.portal_id == t.c.portal_id))
        .where(t.c.place.in_(_SHOWN), or_(queues.c.id.is_(None), gone_agent))
        .limit(AT_ONCE)
    )  # fmt: skip
    commands: list[TicketCommand] = []
    async with console.database.read() as connection:
        for row in (await connection.execute(query)).all():
            about = {"ticket_id": row.id, "portal_id": row.portal_id, "actor": Actor(kind="console"),
                     "at": console.clock()}  # fmt: skip
            if row.queue is not None:
                wanted = ids.derive("agent-gone", row.id, str(row.version))
                commands.append(Assign(id=wanted, assignee_id=None, **about))
                continue
            # a queue is deleted only after its addresses were given another one, which took its place
            successor = row.successor or await connection.scalar(
                select(queues.c.id).where(queues.c.portal_id == row.portal_id).order_by(queues.c.name).limit(1)
            )
            if successor is not None:
                wanted = ids.derive("queue-gone", row.id, str(row.version), successor)
                commands.append(MoveQueue(id=wanted, queue_id=successor, **about))
    return commands
