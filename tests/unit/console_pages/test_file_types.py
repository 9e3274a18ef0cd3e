"""Safe downloads: types, names, pictures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_console.pages.tickets.file_types import download_name, picture_type, safe_name, served_type


@pytest.mark.parametrize(
    "declared",
    ["text/html", "TEXT/HTML; charset=x", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/javascript",
     "text/ecmascript", "multipart/x-mixed-replace", "message/rfc822", "application/x-shockwave-flash", "nonsense", "",
     "text/plain\r\nSet-Cookie: a=b", "application/mathml+xml"],
)  # fmt: skip
def test_what_a_browser_might_run_is_octets(declared: str) -> None:
    assert served_type(declared) == "application/octet-stream"


@pytest.mark.parametrize(
    ("declared", "served"),
    [("application/pdf", "application/pdf"), ("Image/PNG; name=x", "image/png"), ("text/plain", "text/plain"),
     ("application/vnd.openxmlformats-officedocument.wordprocessingml.document",
      "application/vnd.openxmlformats-officedocument.wordprocessingml.document")],
)  # fmt: skip
def test_the_right_type_otherwise(declared: str, served: str) -> None:
    assert served_type(declared) == served


def test_pictures_are_known_by_their_bytes() -> None:
    assert picture_type(b"\x89PNG\r\n\x1a\n....") == "image/png"
    assert picture_type(b"RIFF1234WEBPVP8 ") == "image/webp"
    assert picture_type(b"<svg onload=alert(1)>") is None
    assert picture_type(b"GIF8<script>") is None


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("../../etc/passwd", "passwd"), ("C:\\temp\\a.txt", "a.txt"), ("invoice\u202efdp.exe", "invoicefdp.exe"), ("", "attachment"),
     ("...", "attachment"), ("a\r\nb.txt", "ab.txt"), ("Grüße 田.pdf", "Grüße 田.pdf"), (".htaccess", "htaccess")],
)  # fmt: skip
def test_names(sent: str, kept: str) -> None:
    assert safe_name(sent) == kept


@given(st.text(max_size=400))
def test_a_name_never_breaks_the_header(name: str) -> None:
    header = download_name(name)
    assert header.startswith('attachment; filename="')
    assert header.isascii()
    assert not any(ord(c) < 32 for c in header)
    assert header.count('"') == 2
    assert "/" not in header.partition('"')[2].partition('"')[0]
