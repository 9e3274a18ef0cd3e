"""The careful reader: any bytes at all, read as a person would, every oddity named."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from . import (
    addresses,
    bodies,
    charset_guess,
    dates,
    enclosed,
    encoded_words,
    fragments,
    message_body,
    secured,
    structure,
)
from .defect_names import add
from .message_body import Body
from .model import Mail, Mailbox
from .structure import Part

MAX_IDS = 2000
MAX_WRAPPED = 4  # messages within messages that are opened to find words
_ID = re.compile(r"<([^<>]+)>")
_WORD = re.compile(r"(?<![^\s<>,;\"()])[^\s<>,;\"()]+@[^\s<>,;\"()]+")  # from a word's beginning on, or it is quadratic
_LEADING = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*(?=[!-9;-~]+[ \t]*:)")
_COMMENT = re.compile(r"\([^()]*\)")
_SPACES = re.compile(r"\s+")
_MBOX_LINE = re.compile(rb">?From [^\n]*\n")


def read(raw: bytes, depth: int = 0) -> Mail:
    """Read any bytes; never raises for what they say. `depth` counts messages within messages."""
    defects: list[str] = []
    size = len(raw)
    raw, start = _begin(raw, defects)
    root = structure.parse(raw, start, len(raw), defects)
    hint = root.parameters.get("charset")
    inner = None if depth >= MAX_WRAPPED else lambda data: read(data, depth + 1)
    reader = bodies.Bodies(raw, defects, hint)
    if inner is not None and (original := enclosed.spam_original(root)) is not None:
        # A filter put it whole into its report: what a person wrote is that one.
        reported = inner(reader.content(original))
        return replace(reported, headers=(*enclosed.trace(root.fields), *reported.headers), size=size)
    unlabelled = "8bit-header-not-utf8" in defects
    if unlabelled:
        # What the text is written in tells what the raw header and the names of the files are in.
        text, _ = bodies.Bodies(raw, [], hint).text(bodies.select(root).text)
        language = charset_guess.language_of(text)
        structure.read_headers(root, raw, language)
    body = message_body.compose(root, raw, defects, hint, inner)
    if unlabelled and not language and (language := charset_guess.language_of(body.text)):
        structure.read_headers(root, raw, language)
    mail = assemble(root, defects, hint, body, size)
    if inner is not None and (wrapped := enclosed.wrapped_post(root)) is not None:
        source = reader.content(wrapped)
        post = inner(source)
        if enclosed.same_list(mail, post):
            return replace(mail, enclosed=post, enclosed_source=source)
    return mail


def assemble(
    root: Part,
    defects: list[str],
    hint: str | None,
    body: Body,
    size: int,
) -> Mail:
    """The record, from the root's header and what the body said."""
    first = root.first

    def boxes(name: str) -> tuple[Mailbox, ...]:
        value = first.get(name)
        return addresses.parse(value, defects, hint) if value else ()

    from_ = _author(root, boxes, defects, hint)
    sender = boxes("sender")
    _note_header_defects(root, bool(from_), defects)
    date = first.get("date")
    report = root.kind == "multipart/report"
    report_type = root.parameters.get("report-type", "").lower() or None if report else None
    return Mail(
        message_id=message_id(first.get("message-id")),
        from_=from_[0] if from_ else None,
        sender=sender[0] if sender else None,
        reply_to=boxes("reply-to"),
        to=every(root, "to", boxes, defects, hint),
        cc=every(root, "cc", boxes, defects, hint),
        bcc=boxes("bcc"),
        subject=_subject(first, body, defects, hint),
        date=dates.parse(date, defects) if date else None,
        in_reply_to=message_ids(first.get("in-reply-to")),
        references=_references(root, first.get("references")),
        text=body.text,
        html=body.html,
        attachments=tuple(body.attachments),
        headers=tuple(
            [
                (name, encoded_words.decode(value, defects, hint) if "=?" in value else value)
                for name, value in root.fields
            ]
        ),
        content_type=f"{root.kind}; report-type={report_type}" if report_type else root.kind,
        report_type=report_type,
        text_from_html=body.text_from_html,
        defects=tuple(defects),
        size=size,
        protection=tuple(body.protection),
        is_digest=body.is_digest,
        answers_uid=body.answers_uid,
        partial=tuple(root.parameters.items()) if root.kind == fragments.KIND else (),
    )


def _author(
    root: Part, boxes: Callable[[str], tuple[Mailbox, ...]], defects: list[str], hint: str | None
) -> tuple[Mailbox, ...]:
    """Who wrote it: the first From with an address, though RFC 5322 allows one field only; else Reply-To or Sender."""
    from_ = boxes("from")
    if any("@" in box.email for box in from_[:1]):
        return from_
    named = from_[:1]
    if any("@" in box.email for box in from_):
        return tuple(box for box in from_ if "@" in box.email)
    for count, (name, value) in enumerate(root.fields):
        if count < 1000 and name.lower() == "from" and value != root.first.get("from"):
            others = tuple(box for box in addresses.parse(value, [], hint) if "@" in box.email)
            if others:
                return others
    for name in ("reply-to", "sender"):
        others = tuple(box for box in boxes(name) if "@" in box.email)
        if others:
            add(defects, f"author-from-{name}")
            name_only = named[0].name or named[0].email if named else ""
            return (Mailbox(others[0].email, others[0].name or name_only),)
    return from_


def _references(root: Part, value: str | None) -> tuple[str, ...]:
    """References; the pieces of one mail that was sent in several have what they share among them."""
    found = message_ids(value)
    shared = fragments.reference(root.parameters) if root.kind == fragments.KIND else ""
    return (*found, shared) if shared and shared not in found else found


def every(root: Part, name: str, boxes: object, defects: list[str], hint: str | None) -> tuple[Mailbox, ...]:
    """Recipients of all headers of that name: some senders write one header per recipient (RFC 5322 allows one)."""
    found: list[Mailbox] = []
    count = 0
    for field, value in root.fields:
        if field.lower() == name:
            count += 1
            if count > 500:
                break
            found.extend(addresses.parse(value, defects, hint))
    return tuple(found)


def _note_header_defects(root: Part, has_from: bool, defects: list[str]) -> None:
    first = root.first
    if not has_from:
        add(defects, "no-from" if "from" not in first else "bad-from")
    if "date" not in first:
        add(defects, "no-date")
    if "message-id" not in first:
        add(defects, "no-message-id")
    if len(first) < len(root.fields):
        seen: set[str] = set()
        for field, _ in root.fields:
            lowered = field.lower()
            if lowered in seen and lowered in _ONCE:
                add(defects, f"duplicate-header:{lowered}")
            seen.add(lowered)


_ONCE = frozenset(
    {
        "from",
        "sender",
        "reply-to",
        "to",
        "cc",
        "bcc",
        "subject",
        "date",
        "message-id",
        "in-reply-to",
        "references",
        "content-type",
        "content-transfer-encoding",
        "mime-version",
    }
)


def unstructured(value: str, defects: list[str], hint: str | None) -> str:
    """A subject or another free text: decoded, folds and tabs as single spaces."""
    if "=?" in value:
        value = encoded_words.decode(value, defects, hint)
    if "\t" in value or "\n" in value or "\r" in value:
        value = _SPACES.sub(" ", value)
    if "\0" in value:
        value = value.replace("\0", "")
    return value.strip()


def message_id(value: str | None) -> str | None:
    """The identifier without angle brackets (RFC 5322 section 3.6.4), or None for a missing or blank one."""
    if not value:
        return None
    if "=?" in value:
        value = encoded_words.decode(value, [])
    match = _ID.search(value)
    clean = (match[1] if match else value).strip().strip("<>").strip()
    if "(" in clean:
        clean = _COMMENT.sub("", clean)
    return _SPACES.sub("", clean) or None if match or " " not in clean else clean.split()[0]


def message_ids(value: str | None) -> tuple[str, ...]:
    """Every identifier of In-Reply-To or References; words with an @ where no brackets stand."""
    if not value:
        return ()
    if "=?" in value:
        value = encoded_words.decode(value, [])
    found = _ID.findall(value) or _WORD.findall(value)
    return tuple([_SPACES.sub("", one) if " " in one or "\t" in one else one for one in found[:MAX_IDS]])


def _begin(raw: bytes, defects: list[str]) -> tuple[bytes, int]:
    """Where the header starts; CR-only lines become real ones, mbox lines and leading blank lines are passed over."""
    if b"\n" not in raw and b"\r" in raw:
        add(defects, "cr-only-lines")
        raw = raw.replace(b"\r", b"\n")
    if not raw.strip():
        add(defects, "empty")
        return raw, len(raw)
    start = 0
    match = _MBOX_LINE.match(raw)
    if match:
        add(defects, "mbox-line")
        start = match.end()
    leading = _LEADING.match(raw, start)
    if leading and leading.end() > start:
        add(defects, "text-before-header")
        start = leading.end()
    return raw, start


def _subject(first: dict[str, str], body: Body, defects: list[str], hint: str | None) -> str:
    """The subject; the one within the signature where there is one, and a word where it cannot be read."""
    if body.subject is not None:
        return unstructured(body.subject, defects, hint)
    subject = unstructured(first.get("subject", ""), defects, hint)
    sealed = any(one.startswith("encrypted") for one in body.protection)
    return secured.HIDDEN_SUBJECT if sealed and secured.is_placeholder(subject) else subject
