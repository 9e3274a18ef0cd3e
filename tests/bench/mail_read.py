"""`mail_read`: reading ordinary 5 kB mails, beside Python's own email package asked for the same fields.

Alternating rounds, medians of processor time (the machine is shared); the ratio is of the sums over all shapes, so slow shapes count in full.
"""

from __future__ import annotations

import email
import statistics
import sys
import time
from collections.abc import Callable
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from mailroom_mail import read
from mailroom_mail.reading import careful

sys.path.insert(0, str(Path(__file__).parent))
from ordinary_mails import ordinary_mails

COMMAND = "python tests/bench/mail_read.py"
MINUTES = 1.0


def reference(raw: bytes) -> tuple[Any, ...]:
    """The same fields as `read` gives, by email.policy.default."""
    mail = email.message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    boxes = [
        [(address.display_name, address.addr_spec) for address in value.addresses]
        for name in ("from", "sender", "reply-to", "to", "cc", "bcc")
        if (value := mail[name]) is not None
    ]
    date = mail["date"]
    ids = (mail["message-id"], mail["in-reply-to"], mail["references"])
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    return (
        boxes,
        str(mail["subject"]),
        date.datetime if date is not None else None,
        ids,
        plain.get_content() if plain is not None else None,
        html.get_content() if html is not None else None,
        [(part.get_filename(), part.get_content_type(), part.get_content()) for part in mail.iter_attachments()],
        list(mail.items()),
    )


def _seconds(reader: Callable[[bytes], object], mails: list[bytes], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        for raw in mails:
            reader(raw)
    return (time.process_time() - start) / times / len(mails)


def run(rounds: int = 5) -> dict[str, Any]:
    """Mails per second of ours and of the reference, and their ratio; the careful reader's own ratio beside it."""
    shapes = ordinary_mails()
    rows: dict[str, dict[str, float]] = {}
    for shape, mails in shapes.items():
        for raw in mails:
            read(raw), careful.read(raw), reference(raw)
        took: dict[str, list[float]] = {"ours": [], "careful": [], "reference": []}
        for _ in range(rounds):
            took["reference"].append(_seconds(reference, mails, 3))
            took["ours"].append(_seconds(read, mails, 40))
            took["careful"].append(_seconds(careful.read, mails, 20))
        rows[shape] = {name: statistics.median(values) for name, values in took.items()}
    total = {name: sum(row[name] for row in rows.values()) for name in ("ours", "careful", "reference")}
    count = len(rows)
    return {
        "name": "mail_read",
        "ratio": round(total["reference"] / total["ours"], 1),
        "ours": round(count / total["ours"]),
        "reference": round(count / total["reference"]),
        "unit": "mails/s",
        "careful_ratio": round(total["reference"] / total["careful"], 1),
        "shapes": {shape: round(row["reference"] / row["ours"], 1) for shape, row in rows.items()},
        "command": COMMAND,
    }


if __name__ == "__main__":
    import json

    print(json.dumps(run()))
