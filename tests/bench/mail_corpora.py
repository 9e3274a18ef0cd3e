"""The table of docs/mail-reading.md: our reader and Python's email package on every corpus with expectations."""

from __future__ import annotations

import email
import json
import subprocess
import sys
import tempfile
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from mailroom_mail import read

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
COMMAND = "python tests/bench/mail_corpora.py"


def ours(raw: bytes) -> dict[str, Any]:
    """The scorer's fields, by mailroom_mail."""
    mail = read(raw)
    return {
        "from_addr": mail.from_.email if mail.from_ else None,
        "from_name": mail.from_.name if mail.from_ else None,
        "subject": mail.subject,
        "message_id": mail.message_id,
        "text": mail.text,
        "attachments": [
            {"filename": a.filename, "content_type": a.content_type, "size": len(a.content)} for a in mail.attachments
        ],
    }


def theirs(raw: bytes) -> dict[str, Any]:
    """The scorer's fields, by email.policy.default; a field that raises is left empty."""
    mail = email.message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)

    def ask(get: Any, default: Any = None) -> Any:
        try:
            return get()
        except Exception:
            return default

    body = ask(lambda: mail.get_body(("plain", "html")))
    parts = ask(lambda: list(mail.iter_attachments()), [])

    def size(part: Any) -> int:
        content = part.get_content()
        return len(content if isinstance(content, bytes) else str(content).encode())

    return {
        "from_addr": ask(lambda: mail["from"].addresses[0].addr_spec),
        "from_name": ask(lambda: mail["from"].addresses[0].display_name),
        "subject": ask(lambda: str(mail["subject"] or ""), ""),
        "message_id": ask(lambda: str(mail["message-id"] or ""), ""),
        "text": ask(lambda: body.get_content(), "") if body is not None else "",
        "attachments": [
            {"filename": ask(p.get_filename), "content_type": ask(p.get_content_type), "size": ask(lambda p=p: size(p))}
            for p in parts
        ],
    }


def score(corpus: Path, reader: Any) -> dict[str, list[int]]:
    """Right and total by field."""
    rows = [
        {"file": path.name, **reader(path.read_bytes())} for path in sorted(corpus.iterdir()) if path.suffix != ".jsonl"
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.writelines(json.dumps(row, default=str) + "\n" for row in rows)
        file.flush()
        done = subprocess.run(
            [sys.executable, str(CORPORA / "compare.py"), file.name, str(corpus / "expect.jsonl"), "--json"],
            capture_output=True,
            text=True,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return {field: value for field, value in found.items() if isinstance(value, list)}


def table() -> str:
    """Markdown rows: corpus, field, ours, Python's."""
    lines = ["| corpus | field | mailroom_mail | email.policy.default |", "|---|---|---|---|"]
    for corpus in sorted(CORPORA.iterdir()):
        if not (corpus / "expect.jsonl").is_file() or not (corpus / "expect.jsonl").stat().st_size:
            continue
        mine, other = score(corpus, ours), score(corpus, theirs)
        for field, (right, count) in mine.items():
            their_right = other.get(field, [0, count])[0]
            lines.append(f"| {corpus.name} | {field} | {right}/{count} | {their_right}/{count} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
