"""What is written is read back the same, by ourselves and by Python's own email package, and keeps to the RFCs."""

from __future__ import annotations

import email
import email.policy
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mailroom_mail import (
    Attachment,
    Mailbox,
    OutgoingMail,
    QuotedMail,
    compose,
    needs_smtputf8,
    read,
    text_to_html,
    trimmed_references,
)

NOW = datetime(2026, 11, 24, 12, 30, 5, tzinfo=timezone(timedelta(hours=1)))
ANN = Mailbox("ann@example.org", "Ann Müller")


def outgoing(**changes: object) -> OutgoingMail:
    values: dict[str, object] = {
        "message_id": "x1.tok@acme.example",
        "from_": Mailbox("s@acme.example", "Acme"),
        "date": NOW,
        "to": (ANN,),
    }
    return OutgoingMail(**{**values, **changes})  # type: ignore[arg-type]


def stdlib(raw: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)  # type: ignore[return-value]


def check_form(raw: bytes) -> None:
    """CRLF only, no line over 998, and over 78 only where one token is longer (RFC 5322 section 2.1.1)."""
    assert raw.replace(b"\r\n", b"").count(b"\r") == 0
    assert raw.replace(b"\r\n", b"").count(b"\n") == 0
    head, _, body = raw.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        assert len(line) <= 78 or b" " not in line.strip().replace(b": ", b":", 1), line
        assert line.strip()
    assert all(len(line) <= 998 for line in body.split(b"\r\n"))


# Text as people and other mails have it: any script, but no line breaks, NULs, surrogates or control characters.
_LINE = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=200)
_WORDS = st.lists(
    st.text(st.characters(blacklist_categories=("Cs", "Cc", "Z")), min_size=1, max_size=40), max_size=20
).map(" ".join)
_NAME = _WORDS.map(lambda name: name[:120].strip())
_BODY = st.lists(_LINE, max_size=12).map("\n".join)
_ATOM = st.from_regex(r"[a-z0-9](?:[a-z0-9_-]{0,20}[a-z0-9])?", fullmatch=True)
_MAILBOX = st.builds(lambda local, domain, name: Mailbox(f"{local}@{domain}.example", name), _ATOM, _ATOM, _NAME)
_FILE = st.builds(
    lambda name, content: Attachment(name.strip() or "x", "application/octet-stream", content),
    st.text(
        st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp"), blacklist_characters="/\\"),
        min_size=1,
        max_size=90,
    ),
    st.binary(max_size=300),
)


def squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", ["0 " * 19 + "0", "An " * 45 + "n", "Q. " * 16 + "Q", "Q. " * 40 + "Q"])
@pytest.mark.parametrize("host", ["0" * 22, "x" * 60])
def test_a_long_plain_name_is_folded(name: str, host: str) -> None:
    boxes = [Mailbox(f"0@{host}.example", name)] * 3
    raw = compose(outgoing(to=boxes, cc=boxes[:1]))
    check_form(raw)
    found = stdlib(raw)["To"].addresses
    assert [(squeezed(a.display_name), a.domain) for a in found] == [(name, f"{host}.example")] * 3


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    sender=_MAILBOX,
    to=st.lists(_MAILBOX, min_size=1, max_size=6),
    cc=st.lists(_MAILBOX, max_size=3),
    subject=st.one_of(_WORDS, _LINE),
    text=_BODY,
    files=st.lists(_FILE, max_size=3),
    rich=st.booleans(),
)
def test_read_back_the_same(
    sender: Mailbox, to: list[Mailbox], cc: list[Mailbox], subject: str, text: str, files: list[Attachment], rich: bool
) -> None:
    html = text_to_html(text) if rich else None
    raw = compose(
        outgoing(
            from_=sender, to=tuple(to), cc=tuple(cc), subject=subject, text=text, html=html, attachments=tuple(files)
        )
    )
    check_form(raw)
    ours = read(raw)
    theirs = stdlib(raw)
    assert ours.message_id == "x1.tok@acme.example"
    assert (ours.from_.email, squeezed(ours.from_.name)) == (sender.email, squeezed(sender.name))  # type: ignore[union-attr]
    assert [box.email for box in ours.to] == [box.email for box in to]
    assert [squeezed(box.name) for box in ours.to] == [squeezed(box.name) for box in to]
    assert [box.email for box in ours.cc] == [box.email for box in cc]
    assert squeezed(ours.subject) == squeezed(subject)
    assert squeezed(str(theirs["subject"])) == squeezed(subject)
    assert [str(a.addr_spec) for a in theirs["to"].addresses] == [box.email for box in to]
    assert ours.date == NOW
    if rich:
        assert ours.html is not None
        assert ours.html.replace("\r\n", "\n").rstrip("\n") == (html or "").replace("\r\n", "\n").rstrip("\n")
    if text.strip():
        assert ours.text.rstrip("\n") == text.rstrip("\n")
        body = theirs.get_body(("plain",))
        assert body is not None
        assert body.get_content().replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")
    assert [(part.filename, part.content) for part in ours.attachments] == [
        (part.filename, part.content) for part in files
    ]
    assert [part.get_payload(decode=True) for part in theirs.iter_attachments()] == [part.content for part in files]
    assert not ours.defects


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("Subject", {"subject": "Hi\r\nBcc: all@example.org"}),
        ("Subject", {"subject": "Hi\nthere"}),
        ("From", {"from_": Mailbox("s@acme.example", "Acme\r\nX: y")}),
        ("From", {"from_": Mailbox("s@acme.example\r\nX: y", "Acme")}),
        ("To", {"to": (Mailbox("a b", "x"),)}),
        ("To", {"to": (Mailbox("a@b@", "x"),)}),
        ("Cc", {"cc": (Mailbox("a@b.example>\r\nX: y"),)}),
        ("Bcc", {"bcc": (Mailbox("a@b.example\r\nRCPT TO:<x@y>"),)}),
        ("Reply-To", {"reply_to": (Mailbox("nobody"),)}),
        ("message_id", {"message_id": "a@b>\r\nX: y"}),
        ("message_id", {"message_id": "a b@c"}),
        ("In-Reply-To", {"in_reply_to": "a@b\r\nX: y"}),
        ("References", {"references": ("a@b\nX: y",)}),
        ("filename", {"attachments": (Attachment("a\r\nX: y", "text/plain", b""),)}),
        ("content_id", {"attachments": (Attachment("a", "text/plain", b"", "a\r\nX: y"),)}),
        ("attachment", {"attachments": (Attachment("a", "text/plain\r\nX: y", b""),)}),
        ("auto_submitted", {"auto_submitted": "auto-replied\r\nX: y"}),
        ("X-Probe", {"headers": (("X-Probe", "a\r\nX: y"),)}),
        ("X: y", {"headers": (("X: y", "a"),)}),
        ("date", {"date": datetime(2026, 1, 1)}),  # noqa: DTZ001 - the naive one is the case
    ],
)
def test_what_would_break_out_is_refused_by_name(field: str, changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=field):
        compose(outgoing(**changes))


def test_equal_input_gives_equal_bytes() -> None:
    mail = outgoing(text="Hi", html="<p>Hi</p>", attachments=(Attachment("ü.txt", "text/plain", b"x"),))
    assert compose(mail) == compose(mail)
    assert compose(mail) != compose(outgoing(message_id="x2@acme.example", text="Hi", html="<p>Hi</p>"))


def test_reply_headers() -> None:
    raw = compose(outgoing(in_reply_to="c@x", references=("a@x", "b@x"), bcc=(Mailbox("secret@example.org"),)))
    mail = read(raw)
    assert mail.in_reply_to == ("c@x",)
    assert mail.references == ("a@x", "b@x", "c@x")
    # of an order that an earlier version wrote, with our own id last
    for written in (("a@x", "c@x", "b@x", "x1.tok@acme.example"), ("c@x", "x1.tok@acme.example", "a@x", "b@x")):
        assert read(compose(outgoing(in_reply_to="c@x", references=written))).references == ("a@x", "b@x", "c@x")
    assert b"References" not in compose(outgoing(references=("x1.tok@acme.example",)))
    assert mail.header("X-Mailroom-Id") == "<x1.tok@acme.example>"
    assert b"secret" not in raw
    assert mail.header("Auto-Submitted") is None


def test_automatic_reply_says_so() -> None:
    mail = read(compose(outgoing(auto_submitted="auto-replied")))
    assert mail.header("Auto-Submitted") == "auto-replied"
    assert mail.header("X-Auto-Response-Suppress") == "All"


def test_references_keep_root_and_latest() -> None:
    chain = tuple(f"{index}@x" for index in range(500))
    kept = trimmed_references(chain, "parent@x")
    assert kept[0] == "0@x"
    assert kept[-2:] == ("499@x", "parent@x")
    assert len(kept) <= 30
    assert trimmed_references(("ok@x", "not ok@x", "ü@x", "z" * 2000), None) == ("ok@x",)


def test_quoted_history_in_text_and_html() -> None:
    quote = QuotedMail(
        ANN, datetime(2026, 1, 5, 14, 4, tzinfo=UTC), "Where is it?\n> older", "<p>Where <script>x</script>is it?</p>"
    )
    mail = read(compose(outgoing(text="It left today.\n", quote=quote)))
    assert (
        mail.text
        == (
            "It left today.\n\nOn 2026-01-05 at 14:04 UTC, Ann Müller <ann@example.org> wrote:\n> Where is it?\n>> older\n\n"
        )
        .replace("\n\n\n", "\n\n")
        .rstrip("\n")
        + "\n"
    )
    assert mail.html is not None
    assert "It left today." in mail.html
    assert "blockquote" in mail.html
    assert "script" not in mail.html


def test_our_own_history_is_told_apart_again() -> None:
    from mailroom_mail import extract_reply

    quote = QuotedMail(ANN, datetime(2026, 1, 5, 14, 4, tzinfo=UTC), "Where is it?", "<p>Where is it?</p>")
    reply = extract_reply(
        read(compose(outgoing(text="It left today.", html="<p>It left today.</p>", quote=quote, subject="Re: x")))
    )
    assert reply.text == "It left today."
    assert reply.html is not None
    assert "Where" not in reply.html


def test_shown_picture_is_related_and_named() -> None:
    picture = Attachment("Grüße.png", "image/png", b"\x89PNG", "p1@acme", inline=True)
    other = Attachment("list.csv", "text/csv", b"a;b", None)
    raw = compose(outgoing(html='<p>See <img src="cid:p1@acme"></p>', attachments=(picture, other)))
    message = stdlib(raw)
    assert message.get_content_type() == "multipart/mixed"
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "text/csv",
    ]
    shown = next(part for part in message.walk() if part.get_content_type() == "image/png")
    assert shown["content-id"] == "<p1@acme>"
    assert shown.get_content_disposition() == "inline"
    assert shown.get_filename() == "Grüße.png"
    assert read(raw).text.strip().startswith("See")


def test_long_subject_and_long_lines() -> None:
    raw = compose(
        outgoing(
            subject="Straße " * 60 + "end", text="x" * 5000 + "\n" + "word " * 400, html="<p>" + "y" * 5000 + "</p>"
        )
    )
    check_form(raw)
    mail = read(raw)
    assert mail.subject == ("Straße " * 60 + "end").strip()
    assert mail.text.rstrip("\n") == "x" * 5000 + "\n" + "word " * 400
    raw = compose(outgoing(subject="a" * 3000))
    check_form(raw)
    assert read(raw).subject == "a" * 3000


def test_lines_that_relays_change_survive() -> None:
    text = "From here\n.\n..\n>From there\nend  \n--=_alt_1\n"
    mail = read(compose(outgoing(text=text)))
    assert mail.text == text
    assert b"\r\nFrom " not in compose(outgoing(text=text)).partition(b"\r\n\r\n")[2]


def test_forwarded_mail_is_attached_whole() -> None:
    inner = b"From: a@b\r\nSubject: x\r\n\r\nHi\r\n"
    message = stdlib(compose(outgoing(attachments=(Attachment("old.eml", "message/rfc822", inner),))))
    part = next(part for part in message.walk() if part.get_content_type() == "message/rfc822")
    assert part.get_content()["subject"] == "x"
    hard = b"From: a@b\r\n\r\n" + "ü".encode("latin-1") * 2000
    mail = read(compose(outgoing(attachments=(Attachment("old.eml", "message/rfc822", hard),))))
    assert mail.attachments[0].content == hard


def test_international_addresses() -> None:
    mail = outgoing(to=(Mailbox("jo@müller.example"),))
    assert not needs_smtputf8(mail)
    assert b"jo@xn--mller-kva.example" in compose(mail)
    assert needs_smtputf8(outgoing(to=(Mailbox("jürgen@müller.example"),)))
    assert read(compose(outgoing(to=(Mailbox("jürgen@example.org"),)))).to[0].email == "jürgen@example.org"


def test_quick_enough() -> None:
    mail = outgoing(
        subject="Re: Where is my order",
        text="Dear Ann,\n\n" + "It left us today and will be with you soon.\n" * 40,
        html="<p>It left.</p>" * 60,
        in_reply_to="a@b",
    )
    best = 1.0
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(20):
            compose(mail)
        best = min(best, (time.perf_counter() - start) / 20)
    assert best < 0.001  # the aim is 0.0003; a busy machine gets three times that
