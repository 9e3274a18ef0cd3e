"""What the Gmail tests share: an installation with Gmail addresses, and what was received."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mailroom_contracts import (
    Address,
    AddressStatus,
    EmailReceived,
    GmailAccount,
    GmailCursor,
    Message,
    Queue,
    Topic,
    decode,
    topics,
)
from mailroom_runtime.bus.kafka import read_to_end

from .gmail_emulator import google_env
from .gmail_proxy import Proxy
from .outgoing import Installation, installation

MESSAGE_ID_KEYS = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


class GmailDesk:
    """Publishes Gmail addresses with sealed sign-ins as the console does, and reads what came of them."""

    def __init__(self, office: Installation, google: Proxy) -> None:
        self.office, self.google = office, google
        self.env = {
            **office.env,
            **google_env(google.origin),
            "MAILROOM_GOOGLE_TIMEOUT_S": "5",
            "MAILROOM_MESSAGE_ID_KEYS": MESSAGE_ID_KEYS,
            "MAILROOM_GMAIL_POLL_S": "0.3",
            "MAILROOM_GMAIL_IDLE_POLL_S": "1",
            "MAILROOM_GMAIL_UNITS_PER_SECOND": "100000",
            "MAILROOM_GMAIL_UNITS_PER_SECOND_OVERALL": "1000000",
        }
        self.addresses: dict[str, Address] = {}

    async def connect(self, key: str, email: str, **fields: Any) -> Address:
        """Connect or reconnect an address; `gmail` fields as a dict. Mail counts from this moment on."""
        before = self.addresses.get(key)
        revision = before.gmail.secret_revision + 1 if before is not None and before.gmail is not None else 1
        kept = json.dumps({"refresh_token": self.google.sign_in(email)})
        gmail = GmailAccount(
            secret=self.office.sealer.seal(kept, bound_to=key), secret_revision=revision,
            **({"start_history_id": self.present(email)} | fields.pop("gmail", {})),
        )  # fmt: skip
        values: dict[str, Any] = {"queue_id": "q1", "full_name": "The Shop", "revision": revision} | fields
        address = Address(id=key, portal_id="p1", kind="gmail", email=email, gmail=gmail, **values)
        await self.put(address)
        return address

    async def put(self, address: Address) -> None:
        self.addresses[address.id] = address
        await self.office.producer.send(topics.ADDRESSES, address)

    def present(self, email: str) -> str:
        """The account's history id now."""
        answer = self.google.emulator.call(email, "POST", "/gmail/v1/users/me/watch", json={"topicName": "x"})
        return str(answer["historyId"])

    async def all(self, topic: Topic) -> list[Message]:
        name = topic.full_name(self.office.settings.topic_prefix)
        rows = [decode(topic, r.value, r.headers) async for r in read_to_end(self.office.settings, [name]) if r.value]
        return [row for row in rows if row is not None]

    async def received(self) -> list[EmailReceived]:
        return [m for m in await self.all(topics.EMAIL_RECEIVED) if isinstance(m, EmailReceived)]

    async def subjects(self) -> list[str]:
        """Of what was received, each receipt once, as it came."""
        return list({m.id: m.content.subject for m in await self.received()}.values())

    async def statuses(self, key: str) -> list[AddressStatus]:
        found = [m for m in await self.all(topics.ADDRESS_STATUS) if isinstance(m, AddressStatus)]
        return [s for s in found if s.address_id == key and s.aspect == "receiving"]

    async def cursors(self, key: str) -> list[GmailCursor]:
        return [m for m in await self.all(topics.GMAIL_CURSORS) if isinstance(m, GmailCursor) and m.address_id == key]


@asynccontextmanager
async def gmail_desk(kafka: str, redis: str, prefix: str, folder: Path, google: Proxy) -> AsyncIterator[GmailDesk]:
    """Topics, the portal p1, its queue q1."""
    async with installation(kafka, redis, prefix, str(folder)) as office:
        await office.producer.send(topics.QUEUES, Queue(id="q1", portal_id="p1", name="Support", agent_ids=["a1"]))
        yield GmailDesk(office, google)
