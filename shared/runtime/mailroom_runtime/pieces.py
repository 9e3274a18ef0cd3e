"""Mails that were sent in pieces (message/partial, RFC 2046 section 5.2.2): kept until all are there, then one mail.

Both intakes ask this of each piece. Every piece is accepted as a mail of its own, so that nothing is lost whatever becomes of the others. What is kept beside is where
each lies and when it came; pieces that came too long apart, too many or too large together are not joined.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from mailroom_contracts import EmailReceived
from mailroom_mail.reading import fragments

from mailroom_runtime.blobs.store import BlobMissing, BlobStore
from mailroom_runtime.intake import Understood
from mailroom_runtime.process.logs import get_logger

log = get_logger()
WITHIN = timedelta(days=7)  # between the first piece and the last


async def whole(blobs: BlobStore, event: EmailReceived, understood: Understood) -> bytes | None:
    """The mail that is complete with the piece `event`, which is stored; None where others are missing, or it is none.

    Two workers that store the last two pieces at once may both find the mail complete: it has one identity, and is one message. Raises
    `BlobsDown`.
    """
    said = dict(understood.mail.partial)
    piece = fragments.piece_of(said) if said else None
    if piece is None or piece.number > fragments.MAX_PIECES or piece.total > fragments.MAX_PIECES:
        return None
    folder = f"{event.portal_id}/pieces/{fragments.key(understood.mail, piece, event.envelope.mail_from)}"
    mark = {"raw": event.raw.key, "size": event.size, "at": event.received_at.isoformat(), "total": piece.total}
    await blobs.put(f"{folder}/{piece.number}", json.dumps(mark).encode())
    marks: list[dict[str, object]] = []
    total = 0
    for number in range(1, fragments.MAX_PIECES + 1):
        try:
            marks.append(json.loads(await blobs.get(f"{folder}/{number}")))
        except (BlobMissing, ValueError):
            return None
        total = total or int(str(marks[-1]["total"]))
        if total and number == total:
            break
    else:
        return None
    times = [datetime.fromisoformat(str(one["at"])) for one in marks]
    if max(times) - min(times) > WITHIN or sum(int(str(one["size"])) for one in marks) > fragments.MAX_BYTES:
        log.warning("mail.pieces_not_joined", pieces=len(marks), portal_id=event.portal_id)
        return None
    try:
        raws = [await blobs.get(str(one["raw"])) for one in marks]
    except BlobMissing:
        return None  # one of them was removed since
    return fragments.join(raws, fragments.reference(said))
