"""`mailroom parse`: what the library reads in mail files, for people and for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from mailroom_mail import Mail, bounce_statuses, classify, extract_reply, is_failure, read

from .output import AsJson, Failure, console, show

Paths = Annotated[list[Path], typer.Argument(help="Mail files; a folder stands for every file in it except *.jsonl.")]
AsJsonLines = Annotated[bool, typer.Option("--jsonl", help="One JSON object a line and mail.")]


def parse(paths: Paths, jsonl: AsJsonLines = False, as_json: AsJson = False) -> None:
    """Show sender, text, reply, attachments, kind and defects of mails. The exit status is 0 whatever the mails are."""
    found = files(paths)
    if jsonl:
        for path, name in found:
            sys.stdout.write(json.dumps(record(path, name), ensure_ascii=True) + "\n")
    elif as_json:
        show([record(path, name) for path, name in found], True)
    else:
        for path, name in found:
            _print(record(path, name))


def files(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """Each file with the name to report: relative to the folder it was found in, as given where it was named itself."""
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file() and file.suffix != ".jsonl":
                    yield file, file.relative_to(path).as_posix()
        elif path.exists():
            yield path, str(path)
        else:
            raise Failure(f"{path} does not exist; name a mail file or a folder of mail files")


def record(path: Path, name: str) -> dict[str, Any]:
    """What is read of one file, in JSON's types."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}") from error
    mail = read(raw)
    kind = classify(mail)
    reply = extract_reply(mail)
    return {
        "file": name,
        "from_addr": mail.from_.email if mail.from_ else None,
        "from_name": mail.from_.name if mail.from_ else None,
        "to": [box.email for box in mail.to],
        "cc": [box.email for box in mail.cc],
        "reply_to": [box.email for box in mail.reply_to],
        "subject": mail.subject,
        "date": mail.date.isoformat() if mail.date else None,
        "message_id": mail.message_id,
        "in_reply_to": list(mail.in_reply_to),
        "references": list(mail.references),
        "text": mail.text,
        "html": mail.html,
        "reply_text": reply.text,
        "attachments": _attachments(mail),
        "is_bounce": is_failure(kind.bounce),
        "is_dsn": kind.is_dsn,
        "bounce_status": list(bounce_statuses(kind.bounce)),
        "is_auto_reply": bool(kind.automatic_signs),
        "automatic_signs": list(kind.automatic_signs),
        "is_out_of_office": kind.is_out_of_office,
        "is_list": kind.is_list,
        "forwarded": [{"header": trace.header, "address": trace.address} for trace in kind.forwarded],
        "is_digest": kind.is_digest,
        "protection": list(mail.protection),
        "defects": list(mail.defects),
    }


def _attachments(mail: Mail) -> list[dict[str, Any]]:
    return [
        {
            "filename": attachment.filename,
            "content_type": attachment.content_type,
            "size": len(attachment.content),
            "content_id": attachment.content_id,
            "inline": attachment.inline,
        }
        for attachment in mail.attachments
    ]


def _print(row: dict[str, Any]) -> None:
    shown = {name: value for name, value in row.items() if value not in (None, "", [], False) and name != "html"}
    console.rule(str(shown.pop("file")), align="left")
    show(shown, False)
