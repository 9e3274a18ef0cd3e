"""Signed and encrypted mail: what is in the container is read, what is sealed is said to be, marks are no files."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from mailroom_mail import Mail, extract_reply, read
from mailroom_mail.reading import cms, pgp_armour

from .real_mail import case, expectations, mail_of, squeezed

HEAD = b"From: Kim <kim@example.org>\r\nTo: support@acme.example\r\nSubject: Order\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <a@b>\r\nMIME-Version: 1.0\r\n"
INNER = (
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGröße 42, bitte.\r\n".encode()
)
# The sender's own containers, which stay for whoever has the key.
CONTAINERS = (".p7m", ".asc")
DISPUTED = {
    "openssl-cms-triple.eml": "encrypted below its signature: nobody without the key can know the text that is expected"
}


@lru_cache(maxsize=1)
def keys() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Example Root")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(0xABCDEF)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def signed(inner: bytes) -> bytes:
    key, certificate = keys()
    builder = pkcs7.PKCS7SignatureBuilder().set_data(inner).add_signer(certificate, key, hashes.SHA256())
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])


def sealed(inner: bytes) -> bytes:
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(inner).add_recipient(keys()[1])
    return builder.encrypt(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])


def streamed(der: bytes) -> bytes:
    """The same in BER of indefinite length, the content in pieces: as openssl's streams and KMail write it."""

    def element(data: bytes, position: int) -> tuple[bytes, bytes, int]:
        tag, length, after = data[position : position + 1], data[position + 1], position + 2
        if length & 0x80:
            width = length & 0x7F
            length = int.from_bytes(data[after : after + width], "big")
            after += width
        return tag, data[after : after + length], after + length

    def open_ended(tag: bytes, content: bytes) -> bytes:
        return bytes([tag[0] | 0x20]) + b"\x80" + content + b"\0\0"

    def rewritten(data: bytes, depth: int) -> bytes:
        out, position = b"", 0
        while position < len(data):
            tag, content, end = element(data, position)
            if tag[0] == 0x04 and depth >= 3 and len(content) > 20:
                pieces = [content[at : at + 17] for at in range(0, len(content), 17)]
                out += open_ended(tag, b"".join(b"\x04" + bytes([len(piece)]) + piece for piece in pieces))
            elif tag[0] & 0x20 and depth < 5 and tag[0] != 0x31:
                out += open_ended(tag, rewritten(content, depth + 1))
            else:
                out += data[position:end]
            position = end
        return out

    return rewritten(der, 0)


def part(content: bytes, kind: str, disposition: str = 'attachment; filename="smime.p7m"') -> bytes:
    return (
        f"Content-Type: {kind}\r\nContent-Disposition: {disposition}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
        + base64.encodebytes(content)
    )


def mixed(*parts: bytes, kind: str = "mixed") -> bytes:
    return (
        f'Content-Type: multipart/{kind}; boundary="b"\r\n\r\n'.encode()
        + b"".join(b"--b\r\n" + one + b"\r\n" for one in parts)
        + b"--b--\r\n"
    )


KINDS = ["application/pkcs7-mime; smime-type=signed-data; name=smime.p7m", "application/x-pkcs7-mime", "application/octet-stream; name=smime.p7m", "application/pkcs7-mime"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ber", [False, True], ids=["der", "ber"])
@pytest.mark.parametrize("ends", ["\r\n", "\n"])
def test_an_opaque_signature_is_opened(kind: str, ber: bool, ends: str) -> None:
    inner = INNER.replace(b"\r\n", ends.encode())
    data = signed(inner)
    mail = read(HEAD + part(streamed(data) if ber else data, kind))
    assert mail.text.strip() == "Größe 42, bitte."
    assert mail.attachments == ()
    assert mail.protection == ("signed:smime",)
    assert extract_reply(mail).text == "Größe 42, bitte."


def test_files_html_and_reply_rules_within_the_container() -> None:
    words = b"Content-Type: text/plain\r\n\r\nFine.\r\n\r\nOn 2026-11-30 03:15, Acme wrote:\r\n> When?\r\n"
    file = b"Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=order.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg=="
    mail = read(HEAD + part(signed(mixed(words, file)), KINDS[0]))
    assert extract_reply(mail).text == "Fine."
    assert [one.filename for one in mail.attachments] == ["order.pdf"]


def test_below_a_footer_above_one_and_within_another_signature() -> None:
    container = part(signed(INNER), KINDS[0])
    footer = b"Content-Type: text/plain\r\n\r\nScanned by a gateway.\r\n"
    assert read(HEAD + mixed(container, footer)).text.split("\n")[::2][:2] == [
        "Größe 42, bitte.",
        "Scanned by a gateway.",
    ]
    assert read(HEAD + mixed(footer, container)).text.startswith("Scanned")
    outer = mixed(container, b"Content-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nx", kind="signed")
    mail = read(HEAD + outer)
    assert mail.text.strip() == "Größe 42, bitte."
    assert mail.attachments == ()
    twice = read(HEAD + part(signed(part(signed(INNER), KINDS[0])), KINDS[0]))
    assert twice.text.strip() == "Größe 42, bitte."


def test_an_encrypted_container_says_so_and_for_whom() -> None:
    mail = read(
        HEAD.replace(b"Subject: Order", b"Subject: ...")
        + part(sealed(INNER), "application/pkcs7-mime; smime-type=enveloped-data")
    )
    assert "encrypted (S/MIME)" in mail.text
    assert "certificate ABCDEF of Example Root" in mail.text
    assert "support@acme.example" in mail.text
    assert [one.filename for one in mail.attachments] == ["smime.p7m"]
    assert mail.subject == "(encrypted subject)"
    assert mail.protection == ("encrypted:smime",)


@pytest.mark.parametrize("content", [b"", b"no container", b"\x30\x80" * 50_000, b"\x24\x80" * 50_000, b"0" * 100_000, b"\x30\x84\xff\xff\xff\xff"], ids=lambda one: repr(one[:9]))  # fmt: skip
def test_what_is_no_container_stays_a_file(content: bytes) -> None:
    mail = read(HEAD + part(content, KINDS[0]))
    assert [one.content for one in mail.attachments] == [content]
    assert "bad-cms" in mail.defects


def test_cut_containers_never_raise() -> None:
    data = streamed(signed(INNER))
    for end in range(0, len(data), 7):
        cms.read(data[:end], [])
        cms.read(data[:end] + b"\xff" + data[end + 1 :], [])


SUBJECTS = ['Content-Type: text/plain; protected-headers="v1"', 'Content-Type: text/plain; hp="clear"', "Content-Type: text/plain; hp=cipher"]  # fmt: skip


@pytest.mark.parametrize("line", SUBJECTS)
def test_the_subject_within_the_signature_is_used(line: str) -> None:
    inner = (
        f"{line}\r\nSubject: =?utf-8?Q?Gr=C3=B6=C3=9Fe?= 42\r\nFrom: Kim <kim@example.org>\r\n\r\nHello\r\n".encode()
    )
    signature = b"Content-Type: application/pgp-signature\r\n\r\n-----BEGIN PGP SIGNATURE-----\r\n"
    head = HEAD.replace(b"Subject: Order", b"Subject: ...")
    mail = read(head + mixed(inner, signature, kind="signed"))
    assert (mail.subject, mail.text.strip(), mail.attachments) == ("Größe 42", "Hello", ())
    assert read(head + part(signed(inner), KINDS[0])).subject == "Größe 42"
    whole = b"Content-Type: message/rfc822\r\n\r\nSubject: Within\r\nFrom: Kim <kim@example.org>\r\n\r\nHello\r\n"
    assert read(head + part(signed(whole), KINDS[0])).subject == "Within"


def test_the_copy_of_the_header_for_old_programs_is_not_shown() -> None:
    inner = b'Content-Type: text/plain; hp="clear"; hp-legacy-display="1"\r\nSubject: Real\r\n\r\nSubject: Real\r\n\r\nHello\r\n'
    mail = read(HEAD + mixed(inner, b"Content-Type: application/pgp-signature\r\n\r\nx", kind="signed"))
    assert (mail.subject, mail.text.strip()) == ("Real", "Hello")


BLOCK = "-----BEGIN PGP MESSAGE-----\n\nhQEMA1mads0f6aIrAQf+NGBWcJ9TkI+OHngW8IKts60b/wAUfDCKcCfftl5Mig59\n=abcd\n-----END PGP MESSAGE-----"
SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n\niQEzBAEBCgAdFiEEVQaPvbAraiA8\n=rrF2\n-----END PGP SIGNATURE-----"


def test_clear_signed_text_is_shown_without_its_armour() -> None:
    said = "On 2026-11-30 03:15, Acme wrote:\n> When?\n\nTomorrow.\n- - one\n- From Friday on\n- -- \nKim"
    body = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{said}\n{SIGNATURE}\n\n> and more\n"
    mail = read(
        HEAD
        + b"In-Reply-To: <x@y>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        + body.replace("\n", "\r\n").encode()
    )
    assert mail.text.startswith(
        "On 2026-11-30 03:15, Acme wrote:\n> When?\n\nTomorrow.\n- one\nFrom Friday on\n-- \nKim\n"
    )
    assert "PGP" not in mail.text
    assert mail.protection == ("signed:openpgp",)
    assert extract_reply(mail).text == "Tomorrow.\n- one\nFrom Friday on"


@pytest.mark.parametrize("html", [False, True])
def test_an_encrypted_block_within_words(html: bool) -> None:
    body = f"Hello Ana,\n\n{BLOCK}\n\nKim"
    if html:
        body = "<p>" + body.replace("\n", "<br>\n") + "</p>"
    mail = read(HEAD + f"Content-Type: text/{'html' if html else 'plain'}\r\n\r\n{body}".encode())
    assert mail.text.startswith("Hello Ana,")
    assert mail.text.rstrip().endswith("Kim")
    assert "encrypted (OpenPGP) for key 599A76CD1FE9A22B" in mail.text
    assert "hQEMA1" not in mail.text + (mail.html or "")
    assert mail.protection == ("encrypted:openpgp",)


@pytest.mark.parametrize("kind", ["encrypted", "mixed"])
@pytest.mark.parametrize("name", ["", '; name="msg.asc"'])
def test_pgp_mime_says_for_whom(kind: str, name: str) -> None:
    version = b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"
    payload = f"Content-Type: application/octet-stream{name}\r\n\r\n{BLOCK}\r\n".encode()
    mail = read(HEAD.replace(b"Subject: Order", b"Subject: [...]") + mixed(version, payload, kind=kind))
    assert "key 599A76CD1FE9A22B" in mail.text
    assert mail.subject == "(encrypted subject)"
    assert [one.filename for one in mail.attachments] == ["msg.asc" if name else "encrypted.asc"]


def test_a_signed_file_of_the_customer_stays_a_file() -> None:
    words = b"Content-Type: text/plain\r\n\r\nHere it is.\r\n"
    file = b"Content-Type: application/pgp-signature; name=order.pdf.sig\r\n\r\nx"
    assert [one.filename for one in read(HEAD + mixed(words, file)).attachments] == ["order.pdf.sig"]


@pytest.mark.parametrize("text", ["-----BEGIN PGP SIGNATURE-----\n" * 50_000, "-----BEGIN PGP SIGNED MESSAGE-----\n" * 50_000, (BLOCK[:40] + "\n") * 30_000, "-----BEGIN PGP SIGNED MESSAGE-----" + "<b>" * 100_000], ids=lambda one: repr(one[:9]))  # fmt: skip
def test_time_is_linear(text: str) -> None:
    start = time.process_time()
    pgp_armour.open_text(text)
    pgp_armour.open_html(text)
    assert time.process_time() - start < 3.0


def check(mail: Mail, row: dict[str, Any]) -> None:
    files = [one.filename for one in mail.attachments]
    if row.get("sealed") or row.get("encrypted"):
        assert "encrypted" in mail.text
        assert "-----BEGIN" not in mail.text
        assert any(one.startswith("encrypted:") for one in mail.protection)
        files = [name for name in files if name and not name.endswith(CONTAINERS)]
        assert row.get("att", []) == files
    if "text" in row:
        assert squeezed(mail.text) == squeezed(row["text"])
        assert files == row["files"]
    if row.get("typed") and "calendar" not in row:
        assert squeezed(row["typed"]) in squeezed(extract_reply(mail).text)
        if "encrypted" not in row:
            assert squeezed(row["typed"]) == squeezed(extract_reply(mail).text)
    if row.get("subject_hidden"):
        assert mail.subject == "(encrypted subject)"
    elif "subject" in row:
        assert mail.subject == row["subject"]
    if row.get("whole"):
        assert squeezed(extract_reply(mail).text) == squeezed(mail.text)
    if row.get("signed"):
        assert any(one.startswith("signed:") for one in mail.protection)


@pytest.mark.parametrize("row", expectations("secured"))
def test_real_programs(row: dict[str, Any]) -> None:
    if row["file"] in DISPUTED:
        assert "encrypted" in mail_of("secured", row).text
        return
    check(mail_of("secured", row), row)


@pytest.mark.parametrize("row", expectations("desktop"))
def test_desktop_programs(row: dict[str, Any]) -> None:
    check(mail_of("desktop", row), row)


@pytest.mark.parametrize("file", ["pkcs7.eml", "x-pkcs7.eml", "octet.eml"])
def test_outlook_case(file: str) -> None:
    mail = case("cases/14-smime-opaque", file)
    assert mail.text.strip() == "Signed order: 12 pieces, bitte prüfen."
    assert [(one.filename, one.content_type) for one in mail.attachments] == [("order.pdf", "application/pdf")]
