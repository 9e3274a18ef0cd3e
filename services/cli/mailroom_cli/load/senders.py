"""The ways in: SMTP like any customer's server, straight onto the bus, or into a Gmail inbox."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from datetime import UTC, datetime
from typing import Protocol

import aiosmtplib
import httpx
from mailroom_contracts import Address, Envelope, topics
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.bus.kafka import Producer, read_to_end
from mailroom_runtime.intake import normalise
from mailroom_runtime.process.settings import ServiceSettings

from .plan import LoadMail

RETRY_S = 1.0


class Refused(Exception):
    """The server will not take this mail, now or later."""


class Sender(Protocol):
    """Hands one mail over and returns once it is accepted; raises `Refused`."""

    async def send(self, mail: LoadMail, content: bytes) -> None: ...

    async def close(self) -> None: ...


class SmtpSender:
    """Connections that are kept open, as a busy front server's are. A temporary refusal is tried again."""

    def __init__(self, host: str, port: int, connections: int, give_up_s: float = 120.0) -> None:
        self._host, self._port, self._give_up = host, port, give_up_s
        self._free: asyncio.LifoQueue[aiosmtplib.SMTP | None] = asyncio.LifoQueue()
        for _ in range(connections):
            self._free.put_nowait(None)

    async def send(self, mail: LoadMail, content: bytes) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._give_up
        while True:
            client = await self._free.get()
            try:
                if client is None or not client.is_connected:
                    client = aiosmtplib.SMTP(
                        hostname=self._host, port=self._port, use_tls=False, start_tls=False, timeout=30
                    )
                    await client.connect()
                await client.sendmail(mail.sender, [mail.recipient], content)
                return
            except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPResponseException) as error:
                code = error.recipients[0].code if isinstance(error, aiosmtplib.SMTPRecipientsRefused) else error.code
                if code >= 500:
                    raise Refused(str(code)) from None
                with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                    await client.rset()  # type: ignore[union-attr]
            except (aiosmtplib.SMTPException, OSError):
                client = None
            finally:
                self._free.put_nowait(client)
            if loop.time() > end:
                raise Refused(f"not accepted within {self._give_up:.0f} s")
            await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        while not self._free.empty():
            client = self._free.get_nowait()
            if client is not None and client.is_connected:
                with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                    await client.quit()


class BusSender:
    """Publishes `email.received` itself, as an ingest service would."""

    def __init__(self, settings: ServiceSettings, producer: Producer, addresses: dict[str, Address]) -> None:
        self._settings, self._producer, self._addresses = settings, producer, addresses
        self._blobs = BlobStore(settings.blob_url)

    @classmethod
    async def open(cls, settings: ServiceSettings) -> BusSender:
        """Read the addresses from their topic and connect."""
        addresses: dict[str, Address] = {}
        async for record in read_to_end(settings, [topics.ADDRESSES.full_name(settings.topic_prefix)]):
            if record.value is not None:
                address = Address.model_validate_json(record.value)
                addresses[address.email.lower()] = address
        producer = Producer(settings, source="load")
        await producer.start()
        return cls(settings, producer, addresses)

    async def send(self, mail: LoadMail, content: bytes) -> None:
        address = self._addresses.get(mail.recipient.lower())
        if address is None:
            raise Refused(f"no address {mail.recipient}")
        event = await normalise(
            content,
            blobs=self._blobs,
            portal_id=address.portal_id,
            envelope=Envelope(mail_from=mail.sender, rcpt_to=[address.email]),
            address_ids=[address.id],
            source="smtp",
            received_at=datetime.now(UTC),
            inline_limit=self._settings.inline_limit_bytes,
        )
        await self._producer.send(topics.EMAIL_RECEIVED, event)

    async def close(self) -> None:
        await self._producer.close()


class GmailSender:
    """Imports into a Gmail inbox through the API (of the emulator, in practice)."""

    def __init__(self, api_url: str, token: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=api_url.rstrip("/"), headers={"Authorization": f"Bearer {token}"}, timeout=30
        )

    async def send(self, mail: LoadMail, content: bytes) -> None:
        body = {"raw": base64.urlsafe_b64encode(content).decode(), "labelIds": ["INBOX"]}
        answer = await self._client.post("/gmail/v1/users/me/messages/import", json=body)
        if answer.is_error:
            raise Refused(f"Gmail answered {answer.status_code}")

    async def close(self) -> None:
        await self._client.aclose()
