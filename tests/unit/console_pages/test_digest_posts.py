"""Posts of a digest can be opened by subject: those in plain text from the text, those that came as files from the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_console.pages.tickets.attached_files import preview
from mailroom_console.pages.tickets.attached_mail import as_text
from mailroom_console.pages.tickets.ticket_view import posts
from mailroom_mail import classify, digest_posts, read

DIGESTS = Path(__file__).parents[4] / "shared" / "lists" / "cases" / "6-digest"
shared = pytest.mark.skipif(not DIGESTS.is_dir(), reason=f"../shared is not here ({DIGESTS})")
RULE, BETWEEN = "-" * 70, "-" * 30


def message(name: str) -> dict[str, Any]:
    mail = read((DIGESTS / name).read_bytes())
    return {"automatic_signs": list(classify(mail).automatic_signs), "text": mail.text}


@shared
def test_a_digest_in_plain_text() -> None:
    found = posts(message("plain.eml"))
    assert [one["subject"] for one in found] == ["first digest post", "second digest post äöü", "third with att"]
    assert found[1]["sender"] == "José Müller <jose@reject.example>"
    assert all(one["text"].startswith("Hello,\n\nwhere is my order 1234?") for one in found)
    assert not any("unsubscribe" in one["text"] for one in found)


@shared
def test_a_digest_of_files() -> None:
    mail = read((DIGESTS / "mime.eml").read_bytes())
    files = [one for one in mail.attachments if one.content_type == "message/rfc822"]
    assert len(files) >= 3
    for number, one in enumerate(files):
        told = preview({"content_type": one.content_type, "index": number}, "/messages/m1")
        assert told == {"preview": "text", "preview_url": f"/messages/m1/posts/{number}"}
        subject = read(one.content).subject
        assert one.filename is not None
        assert one.filename == f"{' '.join(subject.split())}.eml"
        text = as_text(one.content)
        assert f"Subject: {' '.join(subject.split())}\n" in text
        assert "where is my order 1234?" in text


def test_only_digests_have_posts() -> None:
    text = f"x\n{RULE}\n\nFrom: a@b.example\nSubject: s\n\nwords\n\n{BETWEEN}\n\nEnd"
    assert [one["subject"] for one in posts({"automatic_signs": ["digest"], "text": text})] == ["s"]
    assert posts({"automatic_signs": [], "text": text}) == []
    assert posts({"automatic_signs": ["digest"], "text": "no rules in it"}) == []


@given(
    st.lists(
        st.sampled_from([RULE, BETWEEN, "From: a@b.example", "Subject: s", " folded", "", "words", "Message: 1", ":"]),
        max_size=30,
    )
)
def test_whatever_it_is_made_of(lines: list[str]) -> None:
    for one in digest_posts("\n".join(lines)):
        assert BETWEEN not in one.text.split("\n")


@given(st.binary(max_size=300))
def test_any_file_is_told(content: bytes) -> None:
    as_text(content).encode()
