"""A person is taken out of what other people's tickets hold: their own messages are emptied, and their address is replaced
wherever it stands by itself or in a text. Pure.

Works on records as JSON has them and knows the person by a digest only, so that the event that asks for it need not say who
it was. What others quoted or wrote of the person in other words cannot be known.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from typing import Any

from mailroom_mail import comparable

ADDRESS = "erased@erased.invalid"  # RFC 2606: never anybody's
TEXT = "[erased]"
# in these lists a place-holder would be written to, or would take part
_LEFT_OUT = frozenset(
    [
        "answers",
        "answer_to",
        "participants",
        "unconfirmed",
        "third_parties",
        "added",
        "before",
        "reply_to",
        "recipients",
        "envelope",
        "orders",
    ]
)
_ALL_BELOW = frozenset(("answers", "before", "orders"))  # these, and all lists in them
_AUTHORS = ("from", "written_by", "from_email", "redirected")
_CONTENT = ("text", "text_ref", "html", "html_ref", "reply_text", "attachments", "raw", "quote", "quotes", "body_ref")
# what combines with the character before it, which `\w` leaves out: an ö in two characters, vowels of Hindi and Thai
_MARKS = "".join(mark for mark in map(chr, range(0x300, 0x10000)) if unicodedata.category(mark)[0] == "M")
_LOCAL = rf"[\w{_MARKS}.!#$%&'*+/=?^`{{|}}~-]"
_LABEL = rf"[\w{_MARKS}-]++"
_IN_TEXT = re.compile(rf"(?<!{_LOCAL}){_LOCAL}++@{_LABEL}(?:\.{_LABEL})*+")  # begins at the beginning of a word only
_AROUND = ".'`"
# Thai to Tibetan, Burmese, Khmer, kana, Han and Hangul: there no space parts an address from the words beside it
_NO_SPACES = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7ff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)


def addresses_in(text: str) -> Iterator[str]:
    """What stands in a text and looks like an address, each by itself: with what is glued to it, and without."""
    for match in _IN_TEXT.finditer(text):
        whole = match[0].strip(_AROUND)
        yield whole
        if (bare := _without_words(whole)) != whole:
            yield bare


def _without_words(address: str) -> str:
    """Up to the next character on both sides of its @ that belongs to a script without spaces."""
    local, _, domain = address.partition("@")
    bare = _NO_SPACES.split(domain, maxsplit=1)[0]
    if not bare or bare.endswith("."):  # a label of their own
        bare = domain
    return f"{_NO_SPACES.split(local)[-1]}@{bare}".strip(_AROUND)


@lru_cache(20_000)
def digest_of(portal_id: str, email: str) -> str:
    """What stands for a person of a portal."""
    return sha256(f"{portal_id}|{comparable(email)}".encode()).hexdigest()


class Forgotten:
    """One person of one portal."""

    def __init__(self, portal_id: str, digest: str) -> None:
        self._portal, self._digest = portal_id, digest

    def without(self, value: Any) -> Any:
        """The JSON value without the person; the same object where they are not in it."""
        return self._taken_out(value, "")

    def wrote(self, message: dict[str, Any]) -> bool:
        """Whether the message, or what quotes one, is the person's own."""
        return any(self._is(_email(message.get(name))) for name in _AUTHORS)

    def _is(self, email: str) -> bool:
        return "@" in email and digest_of(self._portal, email) == self._digest

    def _taken_out(self, value: Any, name: str) -> Any:
        if isinstance(value, str):
            return self._text(value) if "@" in value else value
        if isinstance(value, list):
            kept = [one for one in value if not (name in _LEFT_OUT and self._is(_email(one)))]
            found = [self._taken_out(one, name) for one in kept]
            same = len(found) == len(value) and all(a is b for a, b in zip(found, value, strict=True))
            return value if same else found
        if isinstance(value, dict):
            return self._record(value, name)
        return value

    def _record(self, value: dict[str, Any], name: str) -> dict[str, Any] | None:
        if "email" in value and self._is(_email(value)):
            return None if name in _LEFT_OUT else {"email": ADDRESS, "name": ""}
        if name == "actor" and value.get("kind") == "customer" and value.get("name"):
            return {"kind": "customer"}  # only a name: nobody can tell whose
        below = {key: name if name in _ALL_BELOW else key for key in value}
        found = {key: self._taken_out(one, below[key]) for key, one in value.items()}
        if all(found[key] is one for key, one in value.items()):
            return value
        if "direction" in value and "raw" in found:
            del found["raw"]  # its fields name the person
        if self.wrote(value):
            for key in _CONTENT:
                found.pop(key, None)
            found |= {"text": TEXT} if "text" in value else {}
            found |= {"subject": ""} if value.get("subject") else {}
        return found

    def _text(self, text: str) -> str:
        if self._is(text):
            return ADDRESS
        found = _IN_TEXT.sub(lambda match: self._address(match[0]), text)
        return text if found == text else found

    def _address(self, found: str) -> str:
        whole = found.strip(_AROUND)
        if self._is(whole):
            return ADDRESS
        bare = _without_words(whole)
        return found.replace(bare, ADDRESS, 1) if self._is(bare) else found


def _email(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("email")
    return value if isinstance(value, str) and len(value) <= 320 else ""
