"""Real mails with known answers: floors for every field of every corpus, scored by the corpora's own scorer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mailroom_mail import bounce_statuses, classify, extract_reply, is_failure, read

CORPORA = Path(__file__).parents[4] / "shared" / "corpora"
pytestmark = pytest.mark.skipif(not CORPORA.is_dir(), reason=f"../shared is not here ({CORPORA})")

# Everything is expected right, except where the expectation itself is disputed.
FLOORS: dict[tuple[str, str], float] = {
    # Five files whose only text, shown as the body, also carries a name; or whose attachment is inside a forwarded mail.
    ("mime4j", "att_names_all"): 0.81,
    # content-length-006: the sender really is "develop!nextmime@ebony@sblab.att.com"; the expectation drops the end.
    ("mimekit", "from_addr"): 0.96,
    ("reply-crisp", "reply_eq_first_fragment"): 0.97,
}
# Expectations that are another's decision: what is right here instead, by corpus and file.
DECIDED: dict[tuple[str, str], dict[str, Any]] = {
    # A picture, and the smime.p7s of the multipart/signed around it (RFC 1847), which the mail gem counts as a file: for us a
    # signature is a mark of the message (decision 0022).
    ("mikel-mail", "raw_email_with_nested_attachment.eml"): {"attachment_count": 1},
}


def expected(corpus: str, text: str) -> str:
    """The corpus's expectations, with ours where we decided otherwise."""
    told = [json.loads(line) for line in text.splitlines()]
    return "".join(json.dumps(one | DECIDED.get((corpus, one["file"]), {})) + "\n" for one in told)


def rows(folder: Path) -> list[dict[str, Any]]:
    """What is read of each mail, in the scorer's words."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix == ".jsonl":
            continue
        mail = read(path.read_bytes())
        kind = classify(mail)
        found.append(
            {
                "file": path.name,
                "from_addr": mail.from_.email if mail.from_ else None,
                "from_name": mail.from_.name if mail.from_ else None,
                "to": [box.email for box in mail.to],
                "subject": mail.subject,
                "message_id": mail.message_id,
                "text": mail.text,
                "reply_text": extract_reply(mail).text,
                "attachments": [
                    {"filename": a.filename, "content_type": a.content_type, "size": len(a.content)}
                    for a in mail.attachments
                ],
                "is_bounce": is_failure(kind.bounce),
                "is_dsn": kind.is_dsn,
                "bounce_status": list(bounce_statuses(kind.bounce)),
                "is_auto_reply": bool(kind.automatic_signs),
            }
        )
    return found


@pytest.mark.parametrize("corpus", sorted(p.name for p in CORPORA.iterdir() if p.is_dir()) if CORPORA.is_dir() else [])
def test_corpus(corpus: str, tmp_path: Path) -> None:
    folder = CORPORA / corpus
    results = tmp_path / "results.jsonl"
    results.write_text("".join(json.dumps(row) + "\n" for row in rows(folder)), encoding="utf-8")
    wanted = tmp_path / "expect.jsonl"
    wanted.write_text(expected(corpus, (folder / "expect.jsonl").read_text(encoding="utf-8")), encoding="utf-8")
    if not wanted.stat().st_size:
        return  # no expectations: that every mail was read is the test
    scored = subprocess.run(
        [sys.executable, str(CORPORA / "compare.py"), str(results), str(wanted), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    score = json.loads(scored.stdout)
    assert score.pop("no_result") == 0
    score.pop("label")
    below = {
        field: f"{right}/{count}"
        for field, (right, count) in score.items()
        if count and right / count < FLOORS.get((corpus, field), 1.0)
    }
    assert not below
