"""Digests of mailing lists: many people's mails in one (RFC 2046 section 5.1.5, RFC 1153). Pure and linear."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from mailroom_mail.reading.model import Mail

from .automatic import LIST_FIELDS

_PREAMBLE_END = "\n" + "-" * 70 + "\n"
_BETWEEN = "\n" + "-" * 30 + "\n"
# What follows a separator in the plain form is the header of a post, by RFC 1153 with Date or From first.
_POST = re.compile(r"\s*(?:Message: \d{1,6}\n)?(?:Date|From|Subject|To|Message-ID): ", re.IGNORECASE)
_MOST_POSTS = 200
_HEADER_LINES = 60  # of one post
_OF_LISTS = frozenset((*LIST_FIELDS, "precedence"))


@dataclass(frozen=True, slots=True)
class DigestPost:
    """One post of a digest in plain text: its header's words, and its text."""

    subject: str
    sender: str
    text: str


def digest_posts(text: str) -> tuple[DigestPost, ...]:
    """The posts of a digest in plain text (RFC 1153 section 3), in their order; none where it is no such digest."""
    _, found, rest = text.replace("\r\n", "\n").partition(_PREAMBLE_END)
    if not found or _BETWEEN not in rest:
        return ()
    posts = [_post(piece) for piece in ("\n" + rest).split(_BETWEEN)[:_MOST_POSTS]]
    return tuple(post for post in posts if post is not None)


def _post(piece: str) -> DigestPost | None:
    if _POST.match(piece) is None:
        return None
    head, _, body = piece.strip("\n").partition("\n\n")
    fields: dict[str, str] = {}
    last = ""
    for line in head.split("\n")[:_HEADER_LINES]:
        name, colon, value = line.partition(":")
        if line[:1] in (" ", "\t") and last:
            fields[last] += " " + line.strip()
        elif colon:
            last = name.strip().lower()
            fields.setdefault(last, value.strip())
    if "from" not in fields:
        return None  # a footer that stands as a post
    return DigestPost(fields.get("subject", ""), fields["from"], body.strip("\n").rstrip())


def is_digest(mail: Mail, names: Collection[str] | None = None) -> bool:
    """Whether a mail is a digest: by its parts, or by the separators that RFC 1153 prescribes for the plain form.

    A person may put mails together in the same way (Pine's and nmh's forwards): such a mail has its own Message-ID and
    subject, and no sign of a list. `names` are those of its fields, lower-case, where they are known.
    """
    names = {name.lower() for name, _ in mail.headers} if names is None else names
    if mail.message_id and "digest" not in mail.subject.lower() and _OF_LISTS.isdisjoint(names):
        return False
    if mail.is_digest or mail.content_type == "multipart/digest":
        return True
    start = mail.text.find(_PREAMBLE_END)
    if start < 0:
        return False
    first = start + len(_PREAMBLE_END) - 1
    between = mail.text.find(_BETWEEN, first)
    return between > 0 and _POST.match(mail.text, first) is not None
