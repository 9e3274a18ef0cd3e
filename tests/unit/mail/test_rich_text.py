"""winmail.dat whose only body is rich text, plain or made from HTML."""

from __future__ import annotations

import struct
import time

import compressed_rtf
import pytest
from mailroom_mail import Mail, html_to_text, read
from mailroom_mail.reading import rtf

from .real_mail import case

HEAD = b"From: Kim <kim@example.org>\r\nSubject: Order\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <a@b>\r\nMIME-Version: 1.0\r\n"


def winmail(rich: bytes) -> Mail:
    packed = compressed_rtf.compress(rich, compressed=True)
    value = struct.pack("<HHII", 0x102, 0x1009, 1, len(packed)) + packed + b"\0" * (-len(packed) % 4)
    properties = struct.pack("<I", 1) + value
    attribute = b"\x01" + struct.pack("<HHI", 0x9003, 6, len(properties)) + properties + b"\0\0"
    data = struct.pack("<IH", 0x223E9F78, 1) + attribute
    import base64

    return read(
        HEAD
        + b"Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(data)
    )


@pytest.mark.parametrize(
    ("page", "text"),
    [(1250, "Příliš žluťoučký kůň"), (1251, "Добрый день"), (1252, "Größe 42"), (1253, "Καλημέρα"), (932, "お世話になります"), (949, "안녕하세요"), (936, "你好"), (1258, "Chào")],
)  # fmt: skip
@pytest.mark.parametrize("form", ["html", "text", "rich"])
def test_every_code_page(page: int, text: str, form: str) -> None:
    written = "".join(f"\\'{byte:02x}" for byte in text.encode(f"cp{page}")).encode()
    head = b"{\\rtf1\\ansi\\ansicpg%d" % page
    rich = {
        "html": head
        + b"\\fromhtml1 \\deff0{\\fonttbl{\\f0 Arial;}}{\\*\\htmltag64 <p>}\\htmlrtf {\\htmlrtf0 "
        + written
        + b"\\htmlrtf\\par}\\htmlrtf0\n{\\*\\htmltag72 </p>}}",
        "text": head + b"\\fromtext \\deff0{\\fonttbl{\\f0 Arial;}}\\uc1\\pard " + written + b"\\par\\par }",
        "rich": head + b"\\deff0{\\fonttbl{\\f0 Arial;}}\\pard " + written + b"\\par }",
    }[form]
    mail = winmail(rich)
    assert mail.text.strip() == text
    assert (mail.html is not None) == (form == "html")
    assert mail.attachments == ()
    if mail.html:
        assert mail.html == f"<p>{text}</p>"
        assert html_to_text(mail.html) == text


def test_letters_beyond_the_code_page_and_fonts() -> None:
    rich = b"{\\rtf1\\ansi\\ansicpg1252\\fromhtml1 {\\fonttbl{\\f0\\fcharset0 A;}{\\f1\\fcharset204 B;}}\\uc1 \\f0 D\\u283?k \\f1 \\'c4\\'e0\\f0  \\u-10179?\\u-8704?}"
    assert winmail(rich).html == "Děk Да \U0001f600"


@pytest.mark.parametrize(
    "data", [b"", b"x" * 40, b"\xff" * 4000, struct.pack("<IIII", 20, 1 << 31, 0x75465A4C, 0) + b"x" * 20]
)
def test_damage_is_no_harm(data: bytes) -> None:
    assert rtf.read(data) == (None, None)


@pytest.mark.parametrize("rich", [b"{" * 200_000, b"{\\rtf1\\fromhtml1 " + b"{\\*\\htmltag" * 60_000, b"{\\rtf1 " + b"\\par" * 200_000, b"{\\rtf1 " + b"\\'e4" * 200_000, b"{\\rtf1\\fromtext " + b"\\u1 ?" * 100_000], ids=lambda one: repr(one[:9]))  # fmt: skip
def test_time_is_linear(rich: bytes) -> None:
    packed = compressed_rtf.compress(rich, compressed=False)
    start = time.process_time()
    rtf.read(packed)
    assert time.process_time() - start < 5.0


def test_case_of_other_products() -> None:
    wanted = "Příliš žluťoučký kůň úpěl ďábelské ódy. Děkuji"
    assert wanted in case("cases/17-tnef-rtf-cp1250", "rtf-only.eml").text
    assert f"{wanted} (plain)" in case("cases/17-tnef-rtf-cp1250", "with-plain.eml").text
