"""A mail that came as a file, as text: who wrote it, when, about what, and its words. Pure."""

from __future__ import annotations

from mailroom_mail import read

MOST = 200_000  # characters


def as_text(content: bytes, files: str = "Attachments") -> str:
    """The mail's header in a few lines (`files` is what its files are called in the reader's language), then its text."""
    mail = read(content)
    sender = "" if mail.from_ is None else f"{mail.from_.name} <{mail.from_.email}>".strip()
    told = [
        ("From", sender),
        ("To", ", ".join(box.email for box in mail.to[:20])),
        ("Date", mail.date.isoformat(" ", "minutes") if mail.date is not None else ""),
        ("Subject", mail.subject),
        (files, ", ".join(one.filename or one.content_type for one in mail.attachments[:50])),
    ]
    head = "\n".join(f"{name}: {' '.join(value.split())}" for name, value in told if value)
    return f"{head}\n\n{mail.text}"[:MOST].encode("utf-8", "replace").decode()
