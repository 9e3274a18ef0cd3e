"""Push through a Pub/Sub pull subscription, where one is configured; polling goes on as the safety net.

Source: Gmail API, "Push notifications": a watch ends after 7 days and is renewed once a day.
"""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime
from typing import Any

import google.auth
import google.auth.transport.requests
import httplib2
from google.auth.exceptions import GoogleAuthError
from mailroom_gmail import GmailTrouble
from mailroom_runtime.logs import get_logger
from mailroom_runtime.sealing import SealBroken
from mailroom_runtime.service import Service

from .readers import Readers
from .settings import IngestGmailSettings

log = get_logger()
RENEW_EVERY_S = 24 * 3600.0
CHECK_EVERY_S = 60.0
SCOPE = "https://www.googleapis.com/auth/pubsub"


def emails_in(body: bytes) -> tuple[list[str], list[str]]:
    """The addresses that a pull answer names, and the ids to acknowledge."""
    emails: list[str] = []
    acks: list[str] = []
    for each in json.loads(body or b"{}").get("receivedMessages", []):
        acks.append(str(each["ackId"]))
        try:
            said = json.loads(base64.b64decode(each["message"]["data"]))
            emails.append(str(said["emailAddress"]).lower())
        except (KeyError, ValueError, TypeError):
            log.warning("gmail.push_unreadable")
    return emails, acks


async def renew_watches(service: Service[IngestGmailSettings], readers: Readers) -> None:
    """Ask Gmail to push for each account read here, a day before anything could end."""
    renewed: dict[str, datetime] = {}
    while not service.stopping.is_set():
        now = datetime.now(UTC)
        for address in readers.reading:
            last = renewed.get(address.id)
            if last is not None and (now - last).total_seconds() < RENEW_EVERY_S:
                continue
            try:
                client = readers.client(address)
                labels = address.gmail.label_ids if address.gmail is not None else ["INBOX"]
                await client.watch(service.settings.gmail_pubsub_topic, labels)
                client.close()
                renewed[address.id] = now
            except (GmailTrouble, SealBroken) as error:
                log.warning("gmail.watch_failed", address_id=address.id, reason=str(error))
        await asyncio.sleep(CHECK_EVERY_S)


async def pull(service: Service[IngestGmailSettings], readers: Readers) -> None:
    """Pull notifications and wake the readers they are about; every copy gets some and polling covers the rest."""
    settings = service.settings
    root = f"{settings.gmail_pubsub_url.rstrip('/')}/v1/{settings.gmail_pubsub_subscription}"
    credentials: Any = None
    while not service.stopping.is_set():
        try:
            if credentials is None:
                credentials, _ = await asyncio.to_thread(google.auth.default, scopes=[SCOPE])
            body = await asyncio.to_thread(_post, credentials, f"{root}:pull", {"maxMessages": 100})
            emails, acks = emails_in(body)
            for email in set(emails):
                readers.wake(email)
            if acks:
                await asyncio.to_thread(_post, credentials, f"{root}:acknowledge", {"ackIds": acks})
            elif not emails:
                await asyncio.sleep(1)
        except (GoogleAuthError, httplib2.HttpLib2Error, OSError, ValueError) as error:
            log.warning("gmail.pull_failed", error=type(error).__name__)
            await asyncio.sleep(30)


def _post(credentials: Any, url: str, body: dict[str, Any]) -> bytes:
    if not credentials.valid:
        credentials.refresh(google.auth.transport.requests.Request())
    headers = {"Authorization": f"Bearer {credentials.token}", "Content-Type": "application/json"}
    response, content = httplib2.Http(timeout=90).request(url, "POST", json.dumps(body), headers)
    if response.status >= 400:
        raise OSError(f"Pub/Sub answered {response.status}")
    return bytes(content)
