"""Hostile mails: what has broken mail readers, as builders of bytes. Used by the fuzz tests and the atheris run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

HEAD = b"From: a@example.org\r\nTo: b@example.org\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@x>\r\n"


def nested(depth: int, *, close: bool) -> bytes:
    """Multiparts within multiparts."""
    out = [HEAD + b"Content-Type: multipart/mixed; boundary=b0\r\n\r\n"]
    for level in range(depth):
        out.append(b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (level, level + 1))
    out.append(b"--b%d\r\n\r\nhello\r\n" % depth)
    if close:
        out.extend(b"--b%d--\r\n" % level for level in range(depth, -1, -1))
    return b"".join(out)


def wrapped(depth: int) -> bytes:
    """Messages within messages, with nothing else in them."""
    return HEAD + b"Content-Type: message/rfc822\r\n\r\n" * depth + b"\r\nhello"


def html(body: bytes) -> bytes:
    """A mail of that HTML only."""
    return HEAD + b"MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body


def text(body: bytes, content_type: bytes = b"text/plain", encoding: bytes = b"8bit") -> bytes:
    """A mail of one part."""
    return HEAD + b"Content-Type: " + content_type + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body


def multipart(body: bytes, boundary: bytes = b"x") -> bytes:
    """A multipart of that body."""
    return HEAD + b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n" + body


def header(name: bytes, value: bytes) -> bytes:
    """A mail with one special field."""
    return name + b": " + value + b"\r\n" + HEAD + b"\r\nbody"


MEGA = 1_000_000

SHAPES: dict[str, Callable[[], bytes]] = {
    "nested-closed": lambda: nested(5000, close=True),
    "nested-open": lambda: nested(20000, close=False),
    "wrapped": lambda: wrapped(20000),
    "many-parts": lambda: multipart(b"--x\r\n\r\na\r\n" * 300_000),
    "tiny-parts": lambda: multipart(b"--x\n" * 1_500_000),
    "same-boundary": lambda: multipart(b"--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" * 20000),
    "prefix-boundaries": lambda: multipart(
        b"".join(
            b"--x%s\r\nContent-Type: multipart/mixed; boundary=x%s\r\n\r\n" % (b"a" * n, b"a" * (n + 1))
            for n in range(1500)
        )
    ),
    "dash-lines": lambda: multipart(b"\n--" * 3 * MEGA),
    "dash-lines-many-levels": lambda: nested(1000, close=False) + b"\n--y" * 2 * MEGA,
    "half-boundaries": lambda: multipart(b"\n--x y" * MEGA, b"x"),
    "no-blank-lines": lambda: multipart(b"--x\r\nA: b\r\n" * 400_000),
    "many-headers": lambda: b"A: b\r\n" * MEGA + HEAD + b"\r\nbody",
    "colons-only": lambda: b":\n" * 3 * MEGA,
    "bad-header-lines": lambda: b"no colon here\r\n" * 300_000 + HEAD + b"\r\nbody",
    "long-header": lambda: header(b"Subject", b"x" * 10 * MEGA),
    "long-folds": lambda: header(b"Subject", b"x\r\n " * 2 * MEGA),
    "references": lambda: header(b"References", b"<a@b> " * MEGA),
    "open-references": lambda: header(b"References", b"<" * 5 * MEGA),
    "message-id-comments": lambda: header(b"Message-ID", b"<" + b"(" * 3 * MEGA + b">"),
    "addresses": lambda: header(b"To", b"a@b, " * MEGA),
    "address-angles": lambda: header(b"To", b"<," * 3 * MEGA),
    "address-angles-closed": lambda: header(b"To", b"<,@<" * 2 * MEGA + b">"),
    "address-comments": lambda: header(b"To", b"(" * 5 * MEGA),
    "address-comments-angles": lambda: header(b"To", b"(<" * 3 * MEGA),
    "address-quotes": lambda: header(b"To", b'"' * (5 * MEGA + 1)),
    "address-quotes-escaped": lambda: header(b"To", b'"\\' * 3 * MEGA),
    "address-colons": lambda: header(b"To", b"x@y:" * MEGA),
    "address-groups": lambda: header(b"To", b"g:" * MEGA),
    "address-words": lambda: header(b"To", b"a " * MEGA + b"@b"),
    "address-ats": lambda: header(b"To", b"@ " * MEGA),
    "encoded-words": lambda: header(b"Subject", b"=?utf-8?q?a?= " * 300_000),
    "encoded-words-open": lambda: header(b"Subject", b"=?utf-8?q?a" * MEGA),
    "encoded-words-marks": lambda: header(b"Subject", b"=?a?q??" * MEGA),
    "encoded-word-questions": lambda: header(b"Subject", b"=?utf-8?q?" + b"?" * 5 * MEGA),
    "encoded-word-charsets": lambda: header(b"Subject", b"".join(b"=?c%d?q?=FF?= " % n for n in range(100_000))),
    "encoded-word-long-charset": lambda: header(b"Subject", b"=?" + b"x" * 5 * MEGA),
    "encoded-base64-pads": lambda: header(b"Subject", b"=?utf-8?b?" + b"=" * 3 * MEGA + b"?="),
    "parameters": lambda: text(b"x", b"text/plain" + b"; a=b" * MEGA),
    "parameters-quotes": lambda: text(b"x", b"text/plain; a=" + b'"' * 3 * MEGA),
    "parameters-backslashes": lambda: text(b"x", b'text/plain; a="' + b"\\" * 3 * MEGA),
    "parameters-rfc2231": lambda: text(b"x", b"text/plain" + b"".join(b"; n*%d*=%%41" % n for n in range(200_000))),
    "parameters-semicolons": lambda: text(b"x", b"text/plain" + b";" * 3 * MEGA),
    "parameters-no-equals": lambda: text(b"x", b"text/plain;" + b"a " * 2 * MEGA),
    "date-spaces": lambda: header(b"Date", b" " * MEGA + b"x" * MEGA),
    "date-words": lambda: header(b"Date", b"Mon, " * MEGA),
    "base64-equals": lambda: text(b"QUI=" * MEGA, encoding=b"base64"),
    "base64-junk": lambda: text(b"QUI=?\r\n" * 500_000, b"application/pdf", b"base64"),
    "quoted-printable": lambda: text(b"=" * 5 * MEGA, encoding=b"quoted-printable"),
    "quoted-printable-spaces": lambda: text((b"=" + b" " * 1000) * 5000, encoding=b"quoted-printable"),
    "uuencode": lambda: text(b"begin 644 x\n#0V%T\n" * 200_000),
    "uuencode-no-end": lambda: text(b"begin 644 x\n" + b"#0V%T\n" * 500_000),
    "uuencode-bad": lambda: text(b"begin 644 x\n" * 400_000, encoding=b"x-uuencode"),
    "flowed": lambda: text(b"> x \r\n" * 800_000, b"text/plain; format=flowed; delsp=yes"),
    "flowed-quotes": lambda: text(b">" * 5 * MEGA, b"text/plain; format=flowed"),
    "utf-7": lambda: text(b"+2AA-" * 500_000, b"text/plain; charset=utf-7"),
    "utf-16": lambda: text(b"\x00\xd8" * MEGA, b"text/plain; charset=utf-16"),
    "iso-2022": lambda: text(b"\x1b$B" * MEGA, b"text/plain; charset=iso-2022-jp"),
    "unknown-charset": lambda: text(b"\xe4\xf6 word " * 500_000, b"text/plain; charset=nonsense"),
    "punycode": lambda: text(b"a" * MEGA + b"-b", b"text/plain; charset=punycode"),
    "cr-only": lambda: (HEAD + b"\r\nline\r\n" * 500_000).replace(b"\n", b""),
    "bare-cr": lambda: HEAD + b"\n" + b"\r" * 5 * MEGA,
    "nuls": lambda: b"\0" * 5 * MEGA,
    "nuls-in-header": lambda: header(b"Subject", b"\0" * 5 * MEGA),
    "spaces": lambda: b" \n" * 3 * MEGA,
    "newlines": lambda: b"\n" * 5 * MEGA,
    "mbox": lambda: b"From x\n" * MEGA,
    "html-divs": lambda: html(b"<div>" * 300 + b"deep" + b"</div>" * 300),
    "html-many-divs": lambda: html(b"<div>" * 2 * MEGA),
    "html-large": lambda: html(b"<p>Hello <b>you</b> there, &amp; so on.<br>\n" * 250_000),
    "html-open-tags": lambda: html(b"<a " * 3 * MEGA),
    "html-open-quotes": lambda: html(b'<a "' * 2 * MEGA),
    "html-quotes": lambda: html(b"<a href=\"'" * MEGA + b">"),
    "html-comments": lambda: html(b"<!-- " * 2 * MEGA),
    "html-styles": lambda: html(b"<style>" * MEGA),
    "html-hidden": lambda: html(b'<div style="display:none">' * 300_000),
    "html-lists": lambda: html(b"<ul><li>" * 500_000 + b"x"),
    "html-quoted": lambda: html(b"<blockquote>x" * 500_000),
    "html-links": lambda: html(b'<a href="http://x/y">a' * 400_000),
    "html-links-closed": lambda: html(b'<a href="http://x/y">a</a>' * 400_000),
    "html-entities": lambda: html(b"&amp" * MEGA),
    "html-angle": lambda: html(b"<" * 5 * MEGA),
    "html-attributes": lambda: html(b"<p " + b"a=b " * MEGA + b">x"),
    "html-styled": lambda: html(b"<p style=" + b"a:b;" * MEGA + b">x"),
    "html-run-spaces": lambda: html((b"<b>" + b" " * 2000) * 2500),
    "html-pre": lambda: html(b"<pre>" + b"x\n" * 2 * MEGA),
    "html-tables": lambda: html(b"<table><tr><td>" * 300_000),
    "html-meta": lambda: html(b"<meta " * MEGA + b"\xff"),
    "tnef-zeros": lambda: text(b"\x78\x9f\x3e\x22\x01\x00" + b"\x01" + b"\0" * 3 * MEGA, b"application/ms-tnef"),
    "tnef-properties": lambda: text(
        b"\x78\x9f\x3e\x22\x01\x00\x01\x03\x90\x06\x00\xff\xff\xff\x7f\xff\xff\xff\x7f" + b"\x1e\x10\x01\x30" * MEGA,
        b"application/ms-tnef",
    ),
}


def all_shapes() -> Iterator[tuple[str, bytes]]:
    """Every shape, built one at a time."""
    for name, build in SHAPES.items():
        yield name, build()
