"""Mails for the pipeline benches: signed 5 kB mails of many customers, a fifth of them replies, and their DNS zone."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from bench.ordinary_mails import prose
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

DOMAINS = 50
EVERY = 5  # each fifth mail is a reply
BACK = 300  # … to a mail about that many before it


@dataclass(frozen=True, slots=True)
class SignedMail:
    """`sender` is the envelope's; `raw` has CRLF line ends and no dot at its end."""

    sender: str
    message_id: str
    raw: bytes


class Signer:
    """DKIM with RSA-2048, relaxed/relaxed (RFC 6376), for mails that are written so that little has to be relaxed."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(65537, 2048)

    def record(self) -> str:
        """The key's TXT record."""
        public = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"

    def field(self, domain: str, head: list[tuple[str, str]], body: bytes) -> str:
        """The value of DKIM-Signature over all of `head` and `body` (ends in one CRLF, no white space to relax)."""
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        names = ":".join(name.lower() for name, _ in head)
        value = f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=s1; h={names}; bh={digest}; b="
        lines = [f"{name.lower()}:{text}\r\n" for name, text in head] + [f"dkim-signature:{value}"]
        mark = self._key.sign("".join(lines).encode(), padding.PKCS1v15(), hashes.SHA256())
        return value + base64.b64encode(mark).decode()


def signed_mails(run: str, count: int, signer: Signer | None = None, *, size: int = 5_000) -> Iterator[SignedMail]:
    """`count` mails. Each customer writes once and may reply once; the same `run` gives the same texts and ids."""
    dice = random.Random(run)
    texts = [prose(dice, (size - 1500) // 2).rstrip("\n").split("\n") for _ in range(40)]
    date = format_datetime(datetime.now(UTC))
    roots: list[int] = []
    for index in range(count):
        root = None
        if index % EVERY == EVERY - 1 and len(roots) > BACK:
            root = roots[-BACK + index % 7]
        else:
            roots.append(index)
        yield _mail(run, index, root, date, texts[index % len(texts)], signer)


def _mail(run: str, index: int, root: int | None, date: str, lines: list[str], signer: Signer | None) -> SignedMail:
    who = index if root is None else root
    domain = f"d{who % DOMAINS}.customer.example"
    sender = f"c{who}.{run}@{domain}"
    message_id = f"<{run}.{index}@{domain}>"
    head = [
        ("From", f"Customer {who} <{sender}>"),
        ("To", "Support <support@acme.example>"),
        ("Subject", f"{'' if root is None else 'Re: '}Question {run}-{who} about my order"),
        ("Date", date),
        ("Message-ID", message_id),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/alternative; boundary="b-{index}"'),
    ]
    if root is not None:
        head += [("In-Reply-To", f"<{run}.{root}@{domain}>"), ("References", f"<{run}.{root}@{domain}>")]
    number = f"Mail {index} of {run}."
    text = "\r\n".join([number, *(line.strip() for line in lines)])
    html = "<br>\r\n".join([number, *(line.strip() for line in lines)])
    body = (
        f"--b-{index}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        f"--b-{index}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<div>{html}</div>\r\n--b-{index}--\r\n"
    ).encode()
    fields = [f"{name}: {value}\r\n" for name, value in head]
    if signer is not None:
        fields.insert(0, f"DKIM-Signature: {signer.field(domain, head, body)}\r\n")
    return SignedMail(sender, message_id, "".join([*fields, "\r\n"]).encode() + body)


def fill_zone(zone: Any, signer: Signer) -> None:
    """SPF, DKIM and DMARC of all customers' domains: what comes from 127.0.0.1 passes."""
    for number in range(DOMAINS):
        domain = f"d{number}.customer.example"
        zone.txt(domain, "v=spf1 ip4:127.0.0.1 -all")
        zone.txt(f"_dmarc.{domain}", "v=DMARC1; p=quarantine")
        zone.txt(f"s1._domainkey.{domain}", signer.record())
