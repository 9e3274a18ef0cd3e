"""A million tickets as an installation has them after some years, written straight onto the topic `tickets`.

Ticket `number` is the same whenever it is asked for, so a fill that was broken off goes on where it was.
`python -m load.population BOOTSTRAP PREFIX PARTITIONS FIRST LAST` fills with a process of its own.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache

import uvloop
from aiokafka import AIOKafkaProducer
from bench.ordinary_mails import prose
from mailroom_contracts import Delivery, MessageSummary, OutboundMail, Person, Quote, TicketState, encode, ids, topics
from mailroom_mail.threads.ticket_numbers import ticket_number
from mailroom_router.second_step import partition_of

SHAPES = 200
AGE = timedelta(hours=2)  # older than what a take-over indexes again
# how many messages a ticket has, of 20: a question with its automatic reply, up to long conversations
LENGTHS = (2, 2, 2, 2, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 6, 6, 8, 10, 14)
WAITING = 1_000  # each so many-th ticket waits for an agent
STATUSES = ("closed",) * 15 + ("pending",) + ("open",) * 4


@cache
def _texts() -> list[str]:
    dice = random.Random("tickets")
    return [prose(dice, dice.randint(200, 900)) for _ in range(SHAPES)]


@cache
def _shape(number: int) -> TicketState:
    """What tickets of one shape have in common."""
    text, at = _texts()[number], datetime.now(UTC) - AGE
    quote = Quote.model_validate({"from_": Person(email="jo@customer.example", name="Jo"), "date": at, "text": text,
                                  "html": "<p>" + text.replace("\n", "<br>\n") + "</p>"})  # fmt: skip
    messages = [
        MessageSummary(id="", direction="out" if n % 2 else "in", kind=("auto_reply" if n == 1 else "reply") if n % 2 else "mail",
                       message_id="", fingerprint="" if n % 2 == 0 else None, at=at, from_email="jo@customer.example",
                       address_id="ad1", outbound_id="" if n % 2 else None,
                       delivery=Delivery(state="sent") if n % 2 else None)
        for n in range(LENGTHS[number % 20])
    ]  # fmt: skip
    answers = [m for m in messages if m.direction == "out"]
    order = OutboundMail(
        id="", portal_id="p1", ticket_id="", address_id="ad1", kind=answers[-1].kind, subject="Re: Where is my order?",
        text=_texts()[(number * 7) % SHAPES][:400], created_at=at, not_after=at + timedelta(days=17),
        quote=quote if answers[-1].kind == "reply" else None,
    )  # fmt: skip
    status = STATUSES[number % 20]
    return TicketState(
        id="", number="", portal_id="p1", queue_id="q1" if number % 3 else "q2", address_id="ad1", status=status,
        assignee_id=("a1" if number % 2 else "a2") if status == "open" else None,
        subject="Where is my order?", customer=Person(email="jo@customer.example", name="Jo Customer"), root="",
        messages=messages, message_count=len(messages), closing_count=int(status == "closed"),
        closed_at=at if status == "closed" else None, prefer_online=True, last_customer_at=at,
        created_at=at, updated_at=at, version=2 * len(messages), quote=quote, orders=[order],
    )  # fmt: skip


def state(number: int) -> TicketState:
    """Ticket `number` of the population: 5.6 kB on average, changed last at some time of the last two years."""
    shape = _shape(number % SHAPES)
    at = shape.updated_at - timedelta(days=number * 7919 % 730)
    email = f"c{number // 2}@d{number % 997}.customer.example"  # each customer has two tickets
    root = f"{number}.first@d{number % 997}.customer.example"
    key = ids.ticket_id("p1", shape.queue_id, root, email)
    messages = []
    for place, message in enumerate(shape.messages):
        mine = ids.message_id(key, str(place))
        update = {"id": mine, "message_id": f"t.{mine}@acme.example", "recipients": [email], "at": at}
        if message.direction == "in":
            update = {"id": mine, "message_id": root if place == 0 else f"{number}.{place}@customer.example",
                      "fingerprint": mine, "from_email": email, "at": at}  # fmt: skip
        else:
            update["outbound_id"] = ids.outbound_id(key, mine)
        messages.append(message.model_copy(update=update))
    person = shape.customer.model_copy(update={"email": email})
    last = next(m for m in reversed(messages) if m.direction == "out")
    orders = [o.model_copy(update={"id": last.outbound_id, "ticket_id": key, "message_id": last.id, "to": [person],
                                   "rfc_message_id": last.message_id, "references": [root]})
              for o in shape.orders]  # fmt: skip
    waits = number % WAITING == WAITING - 1
    return shape.model_copy(
        update={"id": key, "number": ticket_number(key), "customer": person, "root": root, "messages": messages,
                "participants": [email], "orders": orders, "subject": f"{shape.subject} {number}",
                "created_at": at, "updated_at": at, "last_customer_at": at,
                "closed_at": at if shape.closed_at else None, "wants_online": waits,
                "assignee_id": None if waits else shape.assignee_id,
                "recent": [m.id for m in messages for _ in (0, 1)]}
    )  # fmt: skip


async def fill(bootstrap: str, prefix: str, partitions: int, numbers: Iterable[int]) -> int:
    """Write these tickets, each to its partition. Returns the bytes of their values."""
    name = topics.TICKETS.full_name(prefix)
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", linger_ms=0, max_batch_size=400_000, request_timeout_ms=60_000
    )
    await producer.start()
    # One time for all records: Kafka would begin a segment for each day of theirs.
    written_at = int((datetime.now(UTC) - AGE).timestamp() * 1000)
    size = 0
    try:
        batches = {n: producer.create_batch() for n in range(partitions)}
        acks = []
        for number in numbers:
            ticket = state(number)
            record = encode(topics.TICKETS, ticket, source="router")
            size += len(record.value or b"")
            part = partition_of(ticket.id, partitions)
            while (
                batches[part].append(timestamp=written_at, key=record.key, value=record.value, headers=record.headers)
                is None
            ):
                acks.append(await producer.send_batch(batches[part], name, partition=part))
                batches[part] = producer.create_batch()
        for part, batch in batches.items():
            if batch.record_count():
                acks.append(await producer.send_batch(batch, name, partition=part))
        await asyncio.gather(*acks)
    finally:
        await producer.stop()
    return size


if __name__ == "__main__":
    bootstrap, prefix, *rest = sys.argv[1:]
    partitions, first, last = (int(word) for word in rest)
    print(uvloop.run(fill(bootstrap, prefix, partitions, range(first, last))))
