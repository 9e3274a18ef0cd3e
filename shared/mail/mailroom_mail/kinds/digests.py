"""Digests of mailing lists: many people's mails in one (RFC 2046 section 5.1.5, RFC 1153). Pure and linear."""

from __future__ import annotations

import re
from collections.abc import Collection

from mailroom_mail.reading.model import Mail

from .automatic import LIST_FIELDS

_PREAMBLE_END = "\n" + "-" * 70 + "\n"
_BETWEEN = "\n" + "-" * 30 + "\n"
# What follows a separator in the plain form is the header of a post, by RFC 1153 with Date or From first.
_POST = re.compile(r"\s*(?:Message: \d{1,6}\n)?(?:Date|From|Subject|To|Message-ID): ", re.IGNORECASE)
_OF_LISTS = frozenset((*LIST_FIELDS, "precedence"))


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
