"""The courier of a Gmail address: sends as that account, into the customer's thread.

A crash between Google's answer and our record leaves no window here: an uncertain mail is looked up by its
Message-ID first (Gmail's `rfc822msgid:` search covers the Sent folder).
"""

from __future__ import annotations

from mailroom_contracts import OutboundMail
from mailroom_gmail import Expired, GmailClient, GmailTrouble, Limited, Refused, Revoked, Sent
from mailroom_runtime import metrics

from .courier import LEASE_LOST, Deferred, Delivered, Failed, Hold, Letter, Outcome


class GmailCourier:
    """Hands mails to Gmail. The envelope is Gmail's own: it sends to To, Cc and Bcc of the mail itself."""

    def __init__(self, client: GmailClient) -> None:
        self._client = client

    async def send(self, order: OutboundMail, mail: Letter) -> Outcome:
        """Send one mail, once: looked up before a resend."""
        try:
            if mail.uncertain and (before := await self._client.find(order.rfc_message_id)) is not None:
                metrics.counter("mailroom_gmail_found_sent_total", "Uncertain mails that Gmail had sent").inc()
                return _delivered(before)
            if not mail.still_ours():
                return LEASE_LOST
            raw = with_bcc(mail.raw, order)
            try:
                return _delivered(await self._client.send(raw, order.gmail_thread_id))
            except Expired:
                # the thread was deleted in Gmail: the reply still goes out, threaded by its References
                return _delivered(await self._client.send(raw, None))
        except Revoked as error:
            return Deferred(f"Reconnect this address with Google: {error}", Hold.ACCOUNT)
        except Limited as error:
            return Deferred(str(error), Hold.LANE, retry_after_s=error.retry_after_s)
        except (Refused, Expired) as error:
            return Failed(str(error))
        except GmailTrouble as error:
            return Deferred(str(error), Hold.LANE)

    async def close(self) -> None:
        """Close the kept connections."""
        self._client.close()


def with_bcc(raw: bytes, order: OutboundMail) -> bytes:
    """The mail with its Bcc field: Gmail reads the recipients from the fields and takes Bcc out itself."""
    if not order.bcc:
        return raw
    field = "Bcc: " + ",\r\n ".join(person.email for person in order.bcc)
    return field.encode("utf-8") + b"\r\n" + raw


def _delivered(sent: Sent) -> Delivered:
    return Delivered(f"Gmail took it as {sent.id}", gmail_message_id=sent.id, gmail_thread_id=sent.thread_id or None)
