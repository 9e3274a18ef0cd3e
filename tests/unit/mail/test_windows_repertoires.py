"""Japanese and Korean as Windows writes them under the standards' labels, and raw headers without any label."""

from __future__ import annotations

import base64
import time
from email.header import Header

import pytest
from mailroom_mail import read
from mailroom_mail.reading import charsets, japanese

from .real_mail import case

HEAD = b"From: Kim <kim@example.org>\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <a@b>\r\nMIME-Version: 1.0\r\n"
ROW_13 = "①⑳ⅠⅩ㍉㈱№℡㍻∮"
IBM = "纊髙﨑德ⅰ"
KANA = "ｱｲｳﾞ｡"


def jis(text: str) -> bytes:
    """ISO-2022-JP as code page 50221 has it: every character of code page 932 by its row and cell."""
    out, mode = b"", b"(B"
    for char in text:
        code = char.encode("cp932")
        if code >= b"\xfa\x40" and len(code) == 2:  # IBM's own rows are sent as NEC's
            code = next(
                two for lead in (0xED, 0xEE) for trail in range(0x40, 0xFD) if trail != 0x7F
                for two in (bytes([lead, trail]),) if two.decode("cp932", "replace") == char
            )  # fmt: skip
        if len(code) == 1:
            wanted, piece = (b"(B", code) if code[0] < 0x80 else (b"(I", bytes([code[0] & 0x7F]))
        else:
            lead, trail = code
            row = (lead - (0x70 if lead < 0xA0 else 0xB0)) * 2 - (1 if trail < 0x9F else 0)
            cell = trail - (0x7E if trail >= 0x9F else 0x20 if trail > 0x7F else 0x1F)
            wanted, piece = b"$B", bytes([row, cell])
        if wanted != mode:
            out, mode = out + b"\x1b" + wanted, wanted
        out += piece
    return out + (b"" if mode == b"(B" else b"\x1b(B")


@pytest.mark.parametrize("text", [ROW_13, IBM, KANA, f"注文{ROW_13}の件 {KANA} ok", "お世話になります"])
@pytest.mark.parametrize(
    "label", ["ISO-2022-JP", "iso-2022-jp-ms", "cp50220", "cp50221", "cp50222", "us-ascii", "utf-8", ""]
)
def test_iso_2022_jp_is_whole_in_subject_and_body(text: str, label: str) -> None:
    data = jis(text)
    line = f"Content-Type: text/plain; charset={label}\r\n".encode() if label else b""
    word = f"=?{label}?B?".encode() + base64.b64encode(data) + b"?=" if label else data
    mail = read(HEAD + b"Subject: " + word + b"\r\n" + line + b"\r\n" + data + b"\r\n" + data)
    assert mail.subject == text
    assert mail.text == f"{text}\n{text}"
    assert "\x1b" not in mail.subject + mail.text + "".join(value for _, value in mail.headers)


def test_code_page_932_and_its_rows_agree() -> None:
    for row in range(0x21, 0x75):
        for cell in range(0x21, 0x7F):
            try:
                wanted = bytes([row | 0x80, cell | 0x80]).decode("euc_jp")
            except UnicodeDecodeError:
                continue
            assert japanese.kanji(row, cell) in (wanted, *"～∥－￠￡￢―＼")


@pytest.mark.parametrize("label", ["EUC-JP", "x-euc-jp", "eucJP-ms", "CP51932", "eucjp-win"])
def test_euc_jp_of_windows(label: str) -> None:
    data = "".join(f"注文{ROW_13}").encode("euc_jis_2004", "ignore").replace("㍻".encode("euc_jis_2004"), b"\xad\xdf")
    text = charsets.decode(data + b"\x8e\xb1\x8f\xf3\xfd\xf9\xfe", label, [])
    assert text.startswith("注文①⑳ⅠⅩ㍉㈱№℡")
    assert text.endswith("ｱⅠ德")


@pytest.mark.parametrize(
    "label", ["euc-kr", "ks_c_5601-1987", "KSC5601", "cp949", "ms949", "windows-949", "x-windows-949", "uhc"]
)
def test_korean_of_windows(label: str) -> None:
    text = "뷁쌰똠방각하 펲시콜라"
    data = text.encode("cp949")
    mail = read(HEAD + f"Subject: {Header(data.decode('latin-1'), 'latin-1').encode()}".encode().replace(b"iso-8859-1", label.encode()) + f"\r\nContent-Type: text/plain; charset={label}\r\n\r\n".encode() + data)  # fmt: skip
    assert mail.subject == text
    assert mail.text == text


def test_escapes_that_a_relay_took_away_or_broke() -> None:
    assert charsets.decode(jis("注文の確認").replace(b"\x1b", b""), "iso-2022-jp", []) == "注文の確認"
    assert "\x1b" not in charsets.decode(b"\x1b$B-!\x1b", "iso-2022-jp", [])
    assert charsets.decode(b"costs $B12 (B)", "us-ascii", []) == "costs $B12 (B)"


RAW = [
    ("cp932", "注文の件について", "こんにちは、注文です"), ("cp932", "返品", "こんにちは、注文です"), ("euc_jp", "返品の件", "ありがとうございます"), ("gb18030", "订单", "你好，我的订单怎么样了"),
    ("gb18030", "关于订单的问题", "你好，我的订单"), ("big5", "訂單問題", "你好，我的訂單還沒到"), ("cp949", "주문 문의", "안녕하세요, 주문했습니다"), ("koi8-r", "Мой заказ", "Здравствуйте, где мой заказ"),
]  # fmt: skip


@pytest.mark.parametrize(("codec", "subject", "body"), RAW)
@pytest.mark.parametrize("form", ["utf-8", "own", "part", "language"])
def test_raw_headers_are_read_by_what_the_mail_tells(codec: str, subject: str, body: str, form: str) -> None:
    head = HEAD.replace(b"Kim", subject[:2].encode(codec)) + b"Subject: " + subject.encode(codec) + b"\r\n"
    label = codec if form in ("own", "part") else "utf-8"
    text = (
        b"Content-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: base64\r\n\r\n" % label.encode()
        + base64.encodebytes(body.encode(label))
    )
    if form == "part":
        text = b"Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n" + text + b"--q--\r\n"
    if form == "language":
        language = {"cp932": "ja", "euc_jp": "ja", "gb18030": "zh-CN", "big5": "zh-TW", "cp949": "ko", "koi8-r": "ru"}[
            codec
        ]
        head += f"Content-Language: {language}\r\n".encode()
    mail = read(head + text)
    assert mail.subject == subject
    assert mail.from_ is not None
    assert mail.from_.name == subject[:2]
    assert mail.text.strip() == body


@pytest.mark.parametrize("kind", ["text", "html", "header"])
@pytest.mark.parametrize("place", ["filename", "name", "unquoted"])
@pytest.mark.parametrize(("codec", "name", "body"), RAW)
def test_raw_names_of_files_are_read_by_what_the_mail_tells(
    codec: str, name: str, body: str, place: str, kind: str
) -> None:
    """The charset of the text, its letters where it is in UTF-8, or the language that the header names."""
    raw = f"{name}.pdf".replace(" ", "_" if place == "unquoted" else " ").encode(codec)
    said = b"" if place == "unquoted" else b'"'
    fields = b"Content-Type: application/pdf" + (b"; name=" + said + raw + said if place == "name" else b"")
    fields += b"\r\nContent-Disposition: attachment"
    fields += b"; filename=" + said + raw + said if place != "name" else b""
    label = codec if kind == "text" else "utf-8"
    text = f"<p>{body}</p>" if kind == "html" else body if kind == "text" else "See the file."
    head = HEAD
    if kind == "header":
        language = {"koi8-r": "ru", "cp949": "ko", "big5": "zh-TW", "gb18030": "zh-CN"}.get(codec, "ja")
        head += f"Content-Language: {language}\r\n".encode()
    mail = read(
        head + b"Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n"
        + f"Content-Type: text/{'html' if kind == 'html' else 'plain'}; charset={label}\r\n".encode()
        + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(text.encode(label))
        + b"\r\n--q\r\n" + fields + b"\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--q--\r\n"
    )  # fmt: skip
    (file,) = mail.attachments
    assert file.filename == raw.decode(codec)
    assert mail.text.strip() == (body if kind != "header" else text)


@pytest.mark.parametrize("data", [b"\x1b$B" * 200_000, b"\x1b" * 500_000, b"$B" + b"!!" * 300_000, b"$B!!" * 150_000, b"\x0e" * 400_000, b"\xa1" * 600_000, b"\x8f" * 600_000], ids=lambda one: repr(one[:9]))  # fmt: skip
@pytest.mark.parametrize("label", ["iso-2022-jp", "euc-jp"])
def test_time_is_linear(data: bytes, label: str) -> None:
    start = time.process_time()
    charsets.decode(data, label, [])
    assert time.process_time() - start < 4.0


def test_case_of_other_products() -> None:
    mail = case("cases/01-iso2022jp-nec", "a.eml")
    assert mail.subject == "①返品の件 №42"
    assert (
        mail.text.strip()
        == "お世話になっております。㈱見本商事です。\n①ご注文の確認\n②型番Ⅱの返品\nよろしくお願いします。"
    )
