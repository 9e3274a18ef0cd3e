"""What signing and encrypting put around a mail (RFC 1847, RFC 3156, RFC 8551, RFC 9788): marks, not a customer's files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from . import cms, pgp_armour
from .structure import Part

SIGNED_SMIME, SIGNED_PGP = "signed:smime", "signed:openpgp"
SEALED_SMIME, SEALED_PGP = "encrypted:smime", "encrypted:openpgp"
HIDDEN_SUBJECT = "(encrypted subject)"
# What programs write in the place of a subject that they encrypt.
_PLACEHOLDERS = frozenset({"...", "[...]", "…", "[…]", "encrypted message", "(...)", "<encrypted>"})
_PGP_SIGNATURE_NAME = re.compile(r"(?:(?:open)?pgp[-_ ]?(?:digital[-_ ])?)?signature(?:\.asc|\.sig)?", re.IGNORECASE)
_LEGACY = re.compile(r"\A(?:Subject|From|To|Cc|Date|Reply-To|Followup-To)[ \t]*:", re.IGNORECASE)
_LEGACY_HTML = re.compile(
    r"<div\b[^<>]*\bheader-protection-legacy-display\b[^<>]*>.{0,20000}?</div>", re.IGNORECASE | re.DOTALL
)
_MAX_DEPTH = 8


def is_container(part: Part) -> bool:
    """Whether a leaf is a CMS container that may hold the whole message: by its type, or by its name alone."""
    if part.kind in cms.TYPES:
        return True
    return part.kind.startswith("application/") and (part.filename or "").lower().endswith(".p7m")


def signature_of(part: Part) -> str:
    """`signed:smime` or `signed:openpgp` for a leaf that is the signature of the message, "" for any other."""
    name = (part.filename or "").lower()
    inside = part.within == "multipart/signed"
    if part.kind in cms.SIGNATURE_TYPES and (inside or name in ("", "smime.p7s")):
        return SIGNED_SMIME
    if name == "smime.p7s" and part.kind.startswith("application/"):
        return SIGNED_SMIME
    if part.kind == "application/pgp-signature" and (inside or not name or _PGP_SIGNATURE_NAME.fullmatch(name)):
        return SIGNED_PGP
    return ""


def is_version_part(part: Part) -> bool:
    """PGP/MIME's first part, which says "Version: 1" and nothing else (RFC 3156 section 4)."""
    return part.kind == "application/pgp-encrypted"


def sealed_part(parts: Sequence[Part]) -> Part | None:
    """PGP/MIME's encrypted part: the one after the version part, in whatever multipart a gateway left them."""
    for index, part in enumerate(parts):
        if is_version_part(part):
            return parts[index + 1] if index + 1 < len(parts) else part
    return next((part for part in parts if part.within == "multipart/encrypted"), None)


def sealed_words(method: str, recipients: Sequence[str], sent_to: str) -> str:
    """What a reader sees of a message that is encrypted for somebody else."""
    lines = [f"This message is encrypted ({method}). It cannot be read here."]
    if recipients:
        shown = ", ".join(recipients[:5])
        more = f" and {len(recipients) - 5} more" if len(recipients) > 5 else ""
        lines.append(f"Encrypted for: {shown}{more}")
    if sent_to:
        lines.append(f"Sent to: {sent_to}")
    return "\n".join(lines) + "\n"


def pgp_recipients(content: bytes) -> list[str]:
    """The keys that a PGP/MIME message is encrypted for."""
    return pgp_armour.key_ids(content[:200_000].decode("latin-1"))


def is_placeholder(subject: str) -> bool:
    """Whether a subject only says that there is an encrypted one."""
    return subject.strip().lower() in _PLACEHOLDERS


def _first_line(root: Part) -> Iterator[Part]:
    """The entities that the signature or encryption was put around: the first child, again and again."""
    node = root
    for _ in range(_MAX_DEPTH):
        if not node.children:
            return
        node = node.children[0]
        yield node


def protected_by(root: Part) -> Part | None:
    """The entity below the root whose own header is the protected one (RFC 9788 section 2.1; protected-headers="v1")."""
    for node in _first_line(root):
        if ("hp" in node.parameters or "protected-headers" in node.parameters) and "subject" in node.first:
            return node
    return None


def headers_part(parts: Sequence[Part], root: Part) -> Part | None:
    """A text/rfc822-headers part that shows the protected header to old programs (Enigmail)."""
    marked = "protected-headers" in root.parameters
    return next(
        (
            part
            for part in parts
            if part.kind == "text/rfc822-headers" and (marked or "protected-headers" in part.parameters)
        ),
        None,
    )


def without_legacy_display(text: str, html: str | None, part: Part | None) -> tuple[str, str | None]:
    """The body without the copy of the header that RFC 9788 section 4.3 puts there for old programs."""
    if part is None or part.parameters.get("hp-legacy-display", "") != "1":
        return text, html
    if part.kind == "text/html":
        return text, None if html is None else _LEGACY_HTML.sub("", html, count=1)
    head, blank, rest = text.partition("\n\n")
    if blank and all(_LEGACY.match(line) or line[:1] in " \t" for line in head.split("\n") if line):
        return rest, html
    return text, html
