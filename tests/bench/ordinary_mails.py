"""Ordinary 5 kB mails as people's clients write them, made from a seed: what the reading benchmark reads."""

from __future__ import annotations

import random
from email.message import EmailMessage
from email.policy import SMTP

_SOME_WORDS = """
hello order invoice please regarding delivery the and for with your team yesterday printer contract meeting attached
because however customer number address could would about again thanks question problem working since update version
account payment shipping week Monday office window support answer received everything possible
"""
_WORDS = tuple(_SOME_WORDS.split())
_UMLAUTS = ("für", "Grüße", "möglich", "Straße", "später", "Rückfrage", "größer", "über")
_RECEIVED = (
    "Received: from mail-yb1-f{n}.mail.example (mail-yb1-f{n}.mail.example [192.0.2.{n}])\r\n"
    " by mx.acme.example (Postfix) with ESMTPS id 4Q{n}XyZ\r\n"
    " for <support@acme.example>; Mon, 23 Nov 2026 09:{m:02d}:11 +0100 (CET)\r\n"
)


def prose(random_: random.Random, length: int, extra: tuple[str, ...] = ()) -> str:
    """Sentences of everyday words in lines of mail's width, `length` characters or a little more."""
    words = list(_WORDS) + list(extra)
    paragraphs: list[str] = []
    size = 0
    while size < length:
        sentence = " ".join(random_.choice(words) for _ in range(random_.randint(6, 14))).capitalize() + ". "
        paragraphs.append(sentence + ("\n\n" if random_.random() < 0.2 else ""))
        size += len(sentence)
    lines: list[str] = []
    for paragraph in "".join(paragraphs).split("\n"):
        line = ""
        for word in paragraph.split():
            if len(line) + len(word) > 71:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}".strip()
        lines.append(line)
    return "\n".join(lines) + "\n"


def _html(text: str) -> str:
    body = "".join(f'<div dir="ltr">{line}<br></div>\n' for line in text.split("\n"))
    return (
        '<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"></head>'
        f'<body style="font-family:Calibri,sans-serif;font-size:11pt">{body}</body></html>\n'
    )


def _trace(random_: random.Random) -> str:
    """The lines that servers put above the mail's own header, as they fold them."""
    number = random_.randint(10, 250)
    signature = "".join(random_.choice("abcdefXYZ0123") for _ in range(344))
    lines = [_RECEIVED.format(n=number, m=minute) for minute in (2, 1)]
    lines.append(
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d=mail.example; s=20230601; t=1700000000;\r\n"
        f" h=to:subject:message-id:date:from:mime-version;\r\n bh={'A' * 43}=;\r\n b="
        + "\r\n ".join(signature[index : index + 70] for index in range(0, 344, 70))
        + "\r\n"
    )
    return "".join(lines)


def _head(mail: EmailMessage, random_: random.Random, subject: str, name: str) -> None:
    number = random_.randint(10, 250)
    mail["MIME-Version"] = "1.0"
    mail["From"] = f"{name} <{random_.choice(_WORDS).lower()}.{number}@mail.example>"
    mail["To"] = "Support <support@acme.example>"
    if random_.random() < 0.4:
        mail["Cc"] = "Ana Lima <ana@acme.example>, billing@acme.example"
    mail["Date"] = f"Mon, 23 Nov 2026 09:{random_.randint(10, 59)}:11 +0100"
    mail["Message-ID"] = f"<CAF{random_.getrandbits(64):016x}@mail.example>"
    if random_.random() < 0.5:
        mail["In-Reply-To"] = f"<{random_.getrandbits(64):016x}@acme.example>"
        mail["References"] = " ".join(f"<{random_.getrandbits(64):016x}@acme.example>" for _ in range(3))
    mail["Subject"] = subject
    mail["X-Mailer"] = "Example Mail 16.0"
    mail["Thread-Topic"] = "topic"


def ordinary_mails(seed: int = 5, each: int = 4) -> dict[str, list[bytes]]:
    """Mails of about 5 kB by shape. Shapes: ascii text, alternative with quoted-printable or 8bit, base64 UTF-8
    alternative, quoted-printable text with umlauts and encoded headers, small attachment, HTML only."""
    random_ = random.Random(seed)
    out: dict[str, list[bytes]] = {}
    for _ in range(each):
        for shape in (
            "ascii",
            "alternative",
            "alternative-8bit",
            "alternative-base64",
            "umlauts",
            "attachment",
            "html-only",
        ):
            mail = EmailMessage(policy=SMTP)
            plain = shape in ("ascii", "umlauts")
            umlauts = shape in ("umlauts", "alternative-8bit", "alternative-base64")
            text = prose(random_, 3500 if plain else 1300, _UMLAUTS if umlauts else ())
            subject = "Re: Rückfrage zur Bestellung größer" if umlauts else "Re: question about order 4711"
            _head(mail, random_, subject, "Jörg Müller" if umlauts else "John Miller")
            cte = {"alternative-8bit": "8bit", "alternative-base64": "base64", "umlauts": "quoted-printable"}.get(shape)
            if shape == "html-only":
                mail.set_content(_html(prose(random_, 2400)), subtype="html", cte="quoted-printable")
            else:
                mail.set_content(text, cte=cte or ("7bit" if plain else "quoted-printable"))
            if shape.startswith("alternative"):
                mail.add_alternative(_html(text), subtype="html", cte=cte or "quoted-printable")
            if shape == "attachment":
                mail.add_attachment(
                    random_.randbytes(1100), maintype="application", subtype="pdf", filename="Invoice 4711.pdf"
                )
            out.setdefault(shape, []).append(_trace(random_).encode("ascii") + mail.as_bytes())
    return out
