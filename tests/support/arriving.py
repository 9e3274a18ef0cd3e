"""Mails as they really arrived, accepted and routed without any service, for tests of what they do to a ticket."""

from __future__ import annotations

import asyncio
import re
import tempfile
from datetime import datetime
from pathlib import Path

from mailroom_contracts import EmailReceived, EmailRouted, Envelope, Verdicts
from mailroom_router.conversation import Known, clues, route
from mailroom_router.placement import Place
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.intake import normalise

from support.router_desk import NOW, OK, RING, book

SHARED = Path(__file__).parents[3] / "shared"


def arrived(
    raw: bytes, mail_from: str | None = "", *, at: datetime = NOW, rcpt: str = "shop@acme.example",
    swaps: dict[str, str] | None = None,
) -> EmailReceived:  # fmt: skip
    """What intake writes of a mail; `swaps` are replaced in it before, folded or not (a returned Message-ID of ours)."""
    for old, new in (swaps or {}).items():
        raw = re.sub(re.escape(old.encode()).replace(rb"@", rb"@(?:=\r?\n)?"), new.encode(), raw, flags=re.IGNORECASE)
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(
            normalise(
                raw, blobs=BlobStore(folder), portal_id="p1", envelope=Envelope(mail_from=mail_from or "", rcpt_to=[rcpt]),
                address_ids=["ad3"], source="smtp", received_at=at, verdicts=Verdicts(spf="pass", dmarc="pass"),
            )
        )  # fmt: skip


def placed(
    received: EmailReceived, known: Known | None = None, *, verdicts: Verdicts = OK, address: str = "ad3"
) -> EmailRouted:
    """The mail routed as the first step does, with what the index would know."""
    (one,) = route(
        received, [Place(address, "q1", verdicts)], clues(received, RING), known or Known(),
        lambda email: book().is_ours(email, "p1"),
    )  # fmt: skip
    return one
