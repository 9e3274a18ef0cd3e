"""Header fields of outgoing mail: encoded words (RFC 2047), folding (RFC 5322 section 2.2.3), addresses, parameters (RFC 2231).

Every function refuses what would break out of its field with a ValueError that names the field.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from mailroom_mail.reading import domain_names
from mailroom_mail.reading.model import Mailbox

_BREAKING = re.compile(r"[\r\n\0]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PLAIN = re.compile(r"[\x21-\x7e]+(?: [\x21-\x7e]+)*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOT_ATOM = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+)*"
)
_QUOTED = re.compile(r'"(?:[^"\\\r\n\0]|\\[^\r\n\0])*"')
_DOMAIN = re.compile(r"[A-Za-z0-9\x80-\U0010ffff_](?:[A-Za-z0-9.\x80-\U0010ffff_-]{0,252})|\[[0-9A-Fa-f.:IPv]{2,60}\]")
_ID = re.compile(r"[^\s<>\x00-\x1f\x7f]{1,900}")
_NAME = re.compile(r"[!-9;-~]{1,76}")
# What may stand unencoded in a Q word anywhere, phrases included (RFC 2047 section 5, rule 3).
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_ONE = bytes(_Q_SAFE) + b" "  # written as one character; others as three, those of more than one byte among them
_WORD = 75  # characters of an encoded word, RFC 2047 section 2
_LINE = 78  # RFC 5322 section 2.1.1: should; 998 is must


def checked(field: str, value: str) -> str:
    """The value itself. Raises ValueError, naming the field, where it holds a line break or NUL."""
    if _BREAKING.search(value):
        raise ValueError(f"{field}: a line break or NUL may not stand in a header field")
    return value


def encoded_words(text: str, first: int = 0) -> list[str]:
    """Text as encoded words in UTF-8, each at most 75 characters; the first shorter by `first`. Characters stay whole."""
    data = text.encode("utf-8", "replace")
    quoted = len(data) + 2 * len(data.translate(None, _ONE))
    as_base64 = quoted > (len(data) + 2) // 3 * 4
    room = _WORD - len("=?utf-8?q??=")
    words: list[str] = []
    chunk: list[str] = []
    length = 0
    limit = max(room - first, 12)
    for char in text:
        raw = char.encode("utf-8", "replace")
        cost = len(raw) if as_base64 else 1 if raw in _ONE else 3 * len(raw)
        full = (length + cost + 2) // 3 * 4 > limit if as_base64 else length + cost > limit
        if full and chunk:
            words.append(_word("".join(chunk), as_base64))
            chunk, length, limit = [], 0, room
        chunk.append(char)
        length += cost
    if chunk:
        words.append(_word("".join(chunk), as_base64))
    return words


def _word(text: str, as_base64: bool) -> str:
    data = text.encode("utf-8", "replace")
    if as_base64:
        return f"=?utf-8?b?{base64.b64encode(data).decode('ascii')}?="
    return "=?utf-8?q?" + "".join(chr(b) if b in _Q_SAFE else "_" if b == 32 else f"={b:02X}" for b in data) + "?="


def unstructured(field: str, value: str) -> str:
    """One unstructured field (Subject), folded, with its name and CRLF."""
    value = checked(field, value).strip(" \t")
    if not value:
        return f"{field}:\r\n"
    if _PLAIN.fullmatch(value) and "=?" not in value:
        tokens = value.split(" ")
        if max(map(len, tokens)) <= 900 and len(tokens[0]) + len(field) + 2 <= 990:
            return _folded(field, tokens)
    return f"{field}: " + "\r\n ".join(encoded_words(value, len(field) + 2)) + "\r\n"


def _folded(field: str, tokens: Sequence[str]) -> str:
    """Tokens joined by single spaces, broken before one where the line would pass 78 characters."""
    lines: list[str] = []
    line = field + ":"
    for index, token in enumerate(tokens):
        if index and len(line) + 1 + len(token) > _LINE:
            lines.append(line)
            line = ""
        line += " " + token
    lines.append(line)
    return "\r\n".join(lines) + "\r\n"


def tokens(field: str, values: Iterable[str]) -> str:
    """One structured field of tokens that must stay whole (References)."""
    return _folded(field, [checked(field, value) for value in values])


def message_id(field: str, value: str) -> str:
    """An id in angle brackets. Raises ValueError where it could not be one."""
    value = checked(field, value).strip("<> ")
    if not _ID.fullmatch(value) or not value.isascii():
        raise ValueError(f"{field}: not a usable message id")
    return f"<{value}>"


def is_usable_id(value: str) -> bool:
    """Whether an id that came from elsewhere may be written again."""
    return value.isascii() and _ID.fullmatch(value) is not None


def address(field: str, email: str) -> str:
    """An address for a header; its domain in ASCII (IDNA). Raises ValueError where it is none."""
    checked(field, email)
    local, at, domain = email.strip().rpartition("@")
    if not at or not local or not _DOMAIN.fullmatch(domain) or ".." in domain or domain.endswith(("-", ".")):
        raise ValueError(f"{field}: {email[:80]!r} is not an email address")
    if not _DOT_ATOM.fullmatch(local) and not _QUOTED.fullmatch(local):
        if _CONTROL.search(local):
            raise ValueError(f"{field}: {email[:80]!r} is not an email address")
        escaped = local.replace("\\", "\\\\").replace('"', '\\"')
        local = f'"{escaped}"'
    return f"{local}@{ascii_domain(field, domain)}"


def ascii_domain(field: str, domain: str) -> str:
    """The domain as DNS knows it (A-labels)."""
    if domain.isascii():
        return domain
    try:
        return domain_names.ascii_domain(domain)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


def mailbox(field: str, box: Mailbox) -> str:
    """`Name <address>` with the name quoted or encoded as it needs."""
    where = address(field, box.email)
    name = " ".join(checked(field, box.name).split(" ")).strip()
    if not name:
        return where
    if _ATOMS.fullmatch(name) and "=?" not in name:
        return _lines(field, [*name.split(" "), f"<{where}>"])
    if name.isascii() and not _CONTROL.search(name) and "=?" not in name and len(name) < 200 and "  " not in name:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        if len(field) + 4 + len(escaped) <= _LINE:
            return _lines(field, [f'"{escaped}"', f"<{where}>"])
    return "\r\n ".join([*encoded_words(name, len(field) + 2), f"<{where}>"])


def _lines(field: str, tokens: Sequence[str]) -> str:
    """What stands behind the field's name and its colon, with room for a comma at the end."""
    return _folded(field, [*tokens[:-1], f"{tokens[-1]},"])[len(field) + 2 :].removesuffix(",\r\n")


def mailboxes(field: str, boxes: Sequence[Mailbox]) -> str:
    """One address field with its name and CRLF; empty where there is nobody."""
    if not boxes:
        return ""
    lines: list[str] = []
    line = f"{field}:"
    for index, box in enumerate(boxes):
        written = mailbox(field, box) + ("," if index + 1 < len(boxes) else "")
        head = written.partition("\r\n")[0]
        if index and len(line) + 1 + len(head) > _LINE:
            lines.append(line)
            line = ""
        line += " " + written
        if "\r\n" in written:
            before, _, line = line.rpartition("\r\n")
            lines.append(before)
    lines.append(line)
    return "\r\n".join(lines) + "\r\n"


def further(name: str, value: str) -> str:
    """A further field of the caller's."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:40]!r} is not a header field name")
    return unstructured(name, value)


@lru_cache(4096)
def _extended(char: str) -> str:
    """A character as RFC 2231 section 7 writes it."""
    return "".join(
        chr(byte) if (chr(byte).isalnum() and byte < 128) or byte in b"-._~" else f"%{byte:02X}"
        for byte in char.encode("utf-8", "replace")
    )


def parameter(field: str, name: str, value: str) -> str:
    """`; name="value"`, or RFC 2231 with continuations where it is not plain ASCII or long. Each piece on a line of its own."""
    checked(field, value)
    if value.isascii() and not _CONTROL.search(value) and len(value) <= 60 and "=?" not in value:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f';\r\n {name}="{escaped}"'
    pieces: list[str] = []
    current = "utf-8''"
    for char in value:
        encoded = _extended(char)
        if len(current) + len(encoded) > 58:
            pieces.append(current)
            current = ""
        current += encoded
    pieces.append(current)
    if len(pieces) == 1:
        return f";\r\n {name}*={pieces[0]}"
    return "".join(f";\r\n {name}*{index}*={piece}" for index, piece in enumerate(pieces))
