"""Push through a Pub/Sub pull subscription, where one is configured; polling goes on as the safety net.

Source: Gmail API, "Push notifications": a watch ends after 7 days and is renewed once a day.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import google.auth
import google.auth.transport.requests
import httplib2
from google.auth.exceptions import GoogleAuthError
from mailroom_gmail import GmailTrouble
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service
from mailroom_runtime.seals.sealing import SealBroken

from .readers import Readers
from .settings import IngestGmailSettings

log = get_logger()
RENEW_EVERY_S = 24 * 3600.0
CHECK_EVERY_S = 5.0
TRY_AGAIN_S = 30.0
PULL_WAITS_S = 10.0
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
    """Ask Gmail to push for each account read here, and again long before the watch ends."""
    renew_at: dict[str, float] = {}
    while not service.stopping.is_set():
        reading = {address.id: address for address in readers.reading}
        renew_at = {key: at for key, at in renew_at.items() if key in reading}
        for address in reading.values():
            now = datetime.now(UTC).timestamp()
            if renew_at.get(address.id, 0.0) > now:
                continue
            try:
                client = readers.client(address)
            except SealBroken:
                continue  # its reader says so
            try:
                labels = address.gmail.label_ids if address.gmail is not None else ["INBOX"]
                _, ends_ms = await client.watch(service.settings.gmail_pubsub_topic, labels)
                renew_at[address.id] = next_renewal(now, ends_ms)
            except GmailTrouble as error:
                renew_at[address.id] = now + TRY_AGAIN_S
                log.warning("gmail.watch_failed", address_id=address.id, reason=str(error))
            finally:
                client.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(service.stopping.wait(), CHECK_EVERY_S)


def next_renewal(now: float, ends_ms: int) -> float:
    """When to ask again (seconds since 1970): once a day, or at half the time that is left when that is sooner."""
    left = ends_ms / 1000 - now if ends_ms else RENEW_EVERY_S
    return now + max(TRY_AGAIN_S, min(RENEW_EVERY_S, left / 2))


async def pull(service: Service[IngestGmailSettings], readers: Readers) -> None:
    """Pull notifications and wake the readers they are about.

    Every copy gets some of them, also about accounts that another copy reads: polling covers those.
    """
    settings = service.settings
    root = f"{settings.gmail_pubsub_url.rstrip('/')}/v1/{settings.gmail_pubsub_subscription.strip('/')}"
    credentials: Any = None
    while not service.stopping.is_set():
        try:
            if credentials is None and root.startswith("https:"):  # Pub/Sub's own emulator has neither
                credentials, _ = await asyncio.to_thread(google.auth.default, scopes=[SCOPE])
            body = await asyncio.to_thread(_post, credentials, f"{root}:pull", {"maxMessages": 100})
            emails, acks = emails_in(body)
            for email in set(emails):
                readers.wake(email)
            if acks:
                await asyncio.to_thread(_post, credentials, f"{root}:acknowledge", {"ackIds": acks})
            else:
                await asyncio.sleep(0.2)  # should the answer not have waited for anything
        except TimeoutError:
            continue  # nothing came while it waited
        except (GoogleAuthError, httplib2.HttpLib2Error, OSError, ValueError) as error:
            log.warning("gmail.pull_failed", error=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(service.stopping.wait(), TRY_AGAIN_S)


def _post(credentials: Any, url: str, body: dict[str, Any]) -> bytes:
    headers = {"Content-Type": "application/json"}
    if credentials is not None:
        if not credentials.valid:
            credentials.refresh(google.auth.transport.requests.Request())
        headers["Authorization"] = f"Bearer {credentials.token}"
    # a pull waits for messages; no longer than this, so that a stop does not wait for it
    response, content = httplib2.Http(timeout=PULL_WAITS_S).request(url, "POST", json.dumps(body), headers)
    if response.status >= 400:
        raise OSError(f"Pub/Sub answered {response.status}")
    return bytes(content)
