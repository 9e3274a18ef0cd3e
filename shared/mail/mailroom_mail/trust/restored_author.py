"""Whether the author behind a list is proven: what the list changed is undone, and the author's own signature holds again.

A list that rewrites From for the sake of DMARC breaks the author's DKIM signature (RFC 6376) and leaves it in the mail. Put
From back from where the list keeps the author, take away what the list added, and it verifies, as long as subject and body
are as they were. Only one that passes and is of the author's domain says anything: with another author it cannot hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mailroom_mail.reading.signed_parts import BrokenSignatureError, SignedParts

from .dkim_signatures import Records, verify_signatures

_MOST_MAILBOXES = 100
_ORIGINAL_SIGNATURE = b"x-original-dkim-signature"  # Sympa's name for the signature that it broke


def is_author_proven(
    parts: SignedParts,
    author: str,
    source: str,
    enclosed: bytes,
    aligned: Callable[[str, str], bool],
    records: Records,
    now: float,
) -> bool:
    """Whether a signature of the author's domain holds once the list's work is undone.

    `source` names where the author was found, as `ListPost.source`; `enclosed` are the bytes of a wrapped original.
    `aligned` says whether a signature's domain and the author's belong together (RFC 9989 section 4.10.2). Raises what `records`
    raises but for failed look-ups, which count as not proven.
    """
    domain = author.rpartition("@")[2].lower()
    for restored in _restorations(parts, author, source, enclosed):
        for verdict in verify_signatures(restored, records, now):
            if verdict.result == "pass" and aligned(verdict.domain, domain):
                return True
    return False


def _restorations(parts: SignedParts, author: str, source: str, enclosed: bytes) -> Iterator[SignedParts]:
    """The mail as it may have been before the list had it; each list's settings leave another trace."""
    if source == "wrapped":
        try:
            yield SignedParts(enclosed)
        except BrokenSignatureError:
            return
    elif source == "x-original-from":
        found = parts.named(b"x-original-from")
        signatures = [_renamed(field, b"DKIM-Signature") for field in parts.named(_ORIGINAL_SIGNATURE)]
        changed = {b"from": [_renamed(field, b"From") for field in found[:1]]}
        if signatures:
            changed[b"dkim-signature"] = signatures + parts.named(b"dkim-signature")
        yield parts.with_fields({**changed, b"reply-to": []})
        yield parts.with_fields(changed)
    elif source in ("reply-to", "cc"):
        name = source.encode()
        field = (parts.named(name) or [b""])[0]
        boxes = mailboxes(field.partition(b":")[2])
        if not boxes or author.lower().encode() not in boxes[-1].lower():
            return
        changed = {b"from": [b"From: " + boxes[-1].strip()], name: _without_last(field, boxes)}
        yield parts.with_fields(changed)
        if source == "cc":  # there Reply-To leads to the list: added, or behind the author's own
            replies = (parts.named(b"reply-to") or [b""])[0]
            yield parts.with_fields({**changed, b"reply-to": []})
            own = _without_last(replies, mailboxes(replies.partition(b":")[2]))
            if own:
                yield parts.with_fields({**changed, b"reply-to": own})


def _renamed(field: bytes, name: bytes) -> bytes:
    return name + b":" + field.partition(b":")[2]


def _without_last(field: bytes, boxes: list[bytes]) -> list[bytes]:
    """The field without its last mailbox: none where that was the only one."""
    return [field.partition(b":")[0] + b":" + b",".join(boxes[:-1])] if len(boxes) > 1 else []


def mailboxes(value: bytes) -> list[bytes]:
    """The mailboxes of an address list as they stand, cut at the commas that are neither quoted nor commented."""
    found: list[bytes] = []
    start, quoted, depth, at = 0, False, 0, 0
    while at < len(value) and len(found) < _MOST_MAILBOXES:
        character = value[at : at + 1]
        if character == b"\\":
            at += 1
        elif character == b'"' and not depth:
            quoted = not quoted
        elif not quoted and character == b"(":
            depth += 1
        elif not quoted and character == b")":
            depth = max(0, depth - 1)
        elif character == b"," and not quoted and not depth:
            found.append(value[start:at])
            start = at + 1
        at += 1
    found.append(value[start:])
    return [box for box in found if box.strip()]
