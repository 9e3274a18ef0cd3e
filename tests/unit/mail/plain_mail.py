"""A plain mail, made of its sender, subject, text and further header fields."""

from __future__ import annotations


def plain(sender: str, subject: str, body: str, *more: str) -> bytes:
    head = [
        f"From: {sender}",
        "To: support@acme.example",
        f"Subject: {subject}",
        "Date: Tue, 24 Nov 2026 12:00:00 +0000",
    ]
    return "\r\n".join(
        [*head, *more, "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "", body.replace("\n", "\r\n")]
    ).encode()
