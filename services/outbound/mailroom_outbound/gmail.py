"""The courier of a Gmail address: sends as that account, into the customer's thread.

Gmail may have taken a mail although we never heard so: a crash, a cut answer, a time-out. So a mail that was tried
before is looked up by its Message-ID first, and a call that was given up but still runs is waited for.
"""

from __future__ import annotations

import asyncio
import time

from mailroom_contracts import OutboundMail
from mailroom_gmail import Expired, GmailClient, GmailTrouble, Limited, Refused, Revoked, Sent
from mailroom_runtime.process import metrics

from .composing import narrowed
from .courier import LEASE_LOST, Deferred, Delivered, Failed, Hold, Letter, Outcome

# order id -> the call that hands it over; shared by all couriers of a process, since a courier may be made anew
UnderWay = dict[str, "asyncio.Task[Sent]"]


class GmailCourier:
    """Hands mails to Gmail. The envelope is Gmail's own: it sends to To, Cc and Bcc of the mail itself."""

    def __init__(
        self, client: GmailClient, under_way: UnderWay | None = None, *, settle_s: float = 0.0, within_s: float = 60.0
    ) -> None:
        """`settle_s`: how long a call that nobody waits for any more may still be on its way to Gmail; `within_s`: how
        long one try may take."""
        self._client, self._settle, self._within = client, settle_s, within_s
        self._troubled: dict[str, float] = {}  # order id -> when a try ended without an answer
        self._under_way: UnderWay = {} if under_way is None else under_way

    async def send(self, order: OutboundMail, mail: Letter) -> Outcome:
        """Send one mail, once."""
        try:
            async with asyncio.timeout(self._within):
                return await self._send(order, mail)
        except TimeoutError:  # nothing is uncertain: before it is sent again, Gmail is asked for it
            return Deferred(f"Gmail did not finish within {self._within:g} s.", Hold.LANE)

    async def _send(self, order: OutboundMail, mail: Letter) -> Outcome:
        try:
            if (running := self._under_way.get(order.id)) is not None:
                return _delivered(await self._outcome(order, running))
            if mail.uncertain or mail.tried:
                ago = time.monotonic() - self._troubled.pop(order.id, float("-inf"))
                if ago < self._settle:
                    return Deferred("an earlier try may still be on its way", retry_after_s=self._settle - ago)
                before = await self._client.find(order.rfc_message_id)
                if before is not None:
                    metrics.counter("mailroom_gmail_found_sent_total", "Uncertain mails that Gmail had sent").inc()
                    return _delivered(before)
                if mail.uncertain and self._settle:
                    # the process that tried it may have died a moment ago, its call may arrive yet: look again later
                    return Deferred("an earlier try may still be on its way", retry_after_s=self._settle)
            if not mail.still_ours():
                return LEASE_LOST
            call = asyncio.create_task(self._hand_over(order, mail), name=f"gmail-send-{order.id}")
            self._under_way[order.id] = call
            return _delivered(await self._outcome(order, call))
        except Revoked as error:
            return Deferred(f"Reconnect this address with Google: {error}", Hold.ACCOUNT)
        except Limited as error:
            return Deferred(str(error), Hold.LANE, retry_after_s=error.retry_after_s)
        except (Refused, Expired) as error:
            return Failed(str(error))
        except GmailTrouble as error:
            self._troubled[order.id] = time.monotonic()
            return Deferred(str(error), Hold.LANE)

    async def close(self) -> None:
        """Close the kept connections."""
        self._client.close()

    async def _outcome(self, order: OutboundMail, call: asyncio.Task[Sent]) -> Sent:
        """What the call came to. Whoever waits may give up; the call goes on in its thread and is not forgotten."""
        try:
            return await asyncio.shield(call)
        finally:
            if call.done():
                self._under_way.pop(order.id, None)

    async def _hand_over(self, order: OutboundMail, mail: Letter) -> Sent:
        raw = with_bcc(mail.raw, narrowed(order))
        try:
            return await self._client.send(raw, order.gmail_thread_id, go_on=mail.still_ours)
        except Expired:
            if order.gmail_thread_id is None:
                raise
            # the thread was deleted in Gmail, or is another account's: the reply still goes out, by its References
            return await self._client.send(raw, None, go_on=mail.still_ours)


def with_bcc(raw: bytes, order: OutboundMail) -> bytes:
    """The mail with its Bcc field: Gmail reads the recipients from the fields and takes Bcc out itself."""
    if not order.bcc:
        return raw
    field = "Bcc: " + ",\r\n ".join(person.email for person in order.bcc)
    return field.encode("utf-8") + b"\r\n" + raw


def _delivered(sent: Sent) -> Delivered:
    return Delivered(f"Gmail took it as {sent.id}", gmail_message_id=sent.id, gmail_thread_id=sent.thread_id or None)
