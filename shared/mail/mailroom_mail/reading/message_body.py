"""The body of a mail as a person reads it, out of whatever containers it came in."""

from __future__ import annotations

import html as html_escape
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mailroom_mail.showing import rendering

from . import addresses, bodies, cms, encoded_words, fragments, invitation, names, secured, tnef
from .model import Attachment, Mail
from .structure import Part

MAX_DIGEST = 100
MESSAGES = frozenset({"message/rfc822", "message/global", "message/news"})
_LIST_FIELDS = ("list-id", "list-post", "x-mailman-version", "x-beenthere", "mailing-list")
_LIST_ID = re.compile(r"<([^<>]+)>\s*\Z")
_OWN_HEADER = ("no-from", "no-date", "no-message-id", "bad-from", "text-before-header", "no-blank-line-after-header")

Reader = Callable[[bytes], Mail]


@dataclass(slots=True)
class Body:
    """What is shown of a mail: its words, its files, what it is put into, and the subject that is within (as sent)."""

    text: str = ""
    text_from_html: bool = False
    html: str | None = None
    attachments: list[Attachment] = field(default_factory=list)
    protection: list[str] = field(default_factory=list)
    subject: str | None = None
    is_digest: bool = False
    answers_uid: str = ""  # of the invitation that its calendar entry answers

    def mark(self, protection: str) -> None:
        """Note what the message is put into, once."""
        if protection not in self.protection:
            self.protection.append(protection)


def compose(root: Part, raw: bytes, defects: list[str], hint: str | None, read: Reader | None) -> Body:
    """The body of the mail whose tree is `root`. `read` reads a message within it; None where that is too deep."""
    return _Composer(root, bodies.Bodies(raw, defects, hint), defects, hint, read).compose()


class _Composer:
    def __init__(
        self, root: Part, reader: bodies.Bodies, defects: list[str], hint: str | None, read: Reader | None
    ) -> None:
        self._root = root
        self._reader = reader
        self._defects = defects
        self._hint = hint
        self._read = read
        self._body = Body()

    def compose(self) -> Body:
        root, reader, body = self._root, self._reader, self._body
        if root.kind in MESSAGES and root.disposition.kind != "attachment" and self._read is not None:
            # The whole mail is a wrapped message: what a person reads is that message.
            self._adopt(self._read(reader.content(root)), subject="subject" not in root.first)
            return body
        chosen = bodies.select(root)
        wrapped = self._wrapped(chosen)
        if wrapped is not None:
            self._adopt(wrapped)
            body.attachments += [self._attachment(part, None) for part in chosen.attached if part.kind not in MESSAGES]
            return body
        body.text, body.text_from_html = reader.text(chosen.text)
        body.html = reader.html(chosen.html)
        if chosen.attached or root.children:
            self._unpack(chosen)
        if body.html is not None and not body.text.strip() and not body.text_from_html:
            body.text, body.text_from_html = rendering.to_text(body.html), True
        if not body.text.strip() and body.html is None:
            body.text = self._forwarded_text(chosen.attached) or body.text
        for protection in reader.protection:
            body.mark(protection)
        body.attachments += reader.files
        names.give(body.attachments)
        return body

    def _adopt(self, inner: Mail, *, subject: bool = False) -> None:
        """Take over the body of a message within as one's own."""
        body = self._body
        body.text, body.text_from_html, body.html = inner.text, inner.text_from_html, inner.html
        body.attachments += inner.attachments
        body.is_digest, body.answers_uid = inner.is_digest, inner.answers_uid
        for protection in inner.protection:
            body.mark(protection)
        if subject and inner.subject:
            body.subject = inner.subject
        for defect in inner.defects:
            if defect not in self._defects and not defect.startswith(_OWN_HEADER):
                self._defects.append(defect)

    def _unpack(self, chosen: bodies.Selection) -> None:
        """Open what is a container, set marks apart from files, and tell what calendars say."""
        body, reader = self._body, self._reader
        parts = chosen.attached
        sealed = secured.sealed_part(parts)
        protected = secured.headers_part(parts, self._root)
        body.is_digest = any(part.within == "multipart/digest" and part.kind in MESSAGES for part in parts)
        calendars: list[tuple[Part, bytes]] = []
        for part in parts:
            signature = secured.signature_of(part)
            if signature:
                body.mark(signature)
                continue
            if part is sealed:
                self._seal(part)
            elif secured.is_version_part(part):
                continue
            elif part is protected:
                found = re.search(r"(?im)^subject[ \t]*:[ \t]*(.*(?:\n[ \t].*)*)", reader.decoded(part))
                body.subject = found.group(1).replace("\n", "") if found else body.subject
            elif (secured.is_container(part) and self._container(part, chosen)) or (
                self._is_tnef(part) and self._tnef(part)
            ):
                continue
            else:
                attachment = self._attachment(part, body.html)
                body.attachments.append(attachment)
                if part.kind in invitation.TYPES or (attachment.filename or "").lower().endswith(".ics"):
                    calendars.append((part, attachment.content))
                elif part.kind == "message/partial":
                    self._fragment(part)
        around = secured.protected_by(self._root)
        if around is not None:
            body.subject = around.first["subject"]
            body.text, body.html = secured.without_legacy_display(body.text, body.html, _first_leaf(around))
        for part, content in calendars[:1]:
            self._calendar(part, content)

    def _attachment(self, part: Part, html: str | None) -> Attachment:
        return bodies.attachment(
            part.first, part.kind, part.disposition.kind, part.filename, self._reader.content(part), html
        )

    def _seal(self, part: Part) -> None:
        """A message that PGP/MIME encrypts: the words say so, the encrypted part stays a file for whoever has the key."""
        attachment = self._attachment(part, None)
        self._add_words(
            secured.sealed_words("OpenPGP", secured.pgp_recipients(attachment.content), self._sent_to()), part
        )
        self._body.mark(secured.SEALED_PGP)
        name = attachment.filename or "encrypted.asc"
        self._body.attachments.append(
            Attachment(name, attachment.content_type, attachment.content, attachment.content_id, inline=False)
        )

    def _container(self, part: Part, chosen: bodies.Selection) -> bool:
        """Open a CMS container; whether nothing of it is left to be shown as a file."""
        opened = cms.read(self._reader.content(part), self._defects)
        if opened is None:
            return False
        if opened.kind == "encrypted":
            self._add_words(secured.sealed_words("S/MIME", opened.recipients, self._sent_to()), part)
            self._body.mark(secured.SEALED_SMIME)
            return False
        if opened.content is None or self._read is None:
            if opened.kind == "signed" and opened.content is None:
                self._body.mark(secured.SIGNED_SMIME)  # certificates only, or a signature under a container's name
            return False
        inner = self._read(opened.content)
        if opened.kind == "signed":
            self._body.mark(secured.SIGNED_SMIME)
        outer = self._body
        before = bool(chosen.text) and chosen.text[0].start < part.start
        text, html, from_html = outer.text, outer.html, outer.text_from_html
        self._adopt(inner, subject=True)
        if text.strip() or html is not None:
            # A gateway's footer or notice stands beside the container.
            pieces = [(text, html), (inner.text, inner.html)] if before else [(inner.text, inner.html), (text, html)]
            outer.text = _texts([one for one, _ in pieces])
            outer.text_from_html = from_html and inner.text_from_html
            outer.html = _htmls(pieces)
        return True

    def _add_words(self, words: str, part: Part) -> None:
        """Put words of ours before what else there is to read."""
        body = self._body
        body.text = _texts([words, body.text])
        body.text_from_html = False
        if body.html is not None:
            body.html = _htmls([(words, None), (body.text, body.html)])

    def _sent_to(self) -> str:
        value = self._root.first.get("to", "")
        boxes = addresses.parse(value, [], self._hint)[:5] if value else ()
        return ", ".join(box.email for box in boxes if box.email)

    def _is_tnef(self, part: Part) -> bool:
        return part.kind in tnef.TYPES or (part.filename or "").lower() == "winmail.dat"

    def _tnef(self, part: Part) -> bool:
        opened = tnef.read(self._reader.content(part), self._defects)
        if opened is None or not (opened.attachments or opened.text or opened.html):
            return False
        body = self._body
        body.attachments += opened.attachments
        if body.html is None:
            body.html = opened.html
            if not body.text.strip():
                body.text, body.text_from_html = opened.text or "", False
                if opened.html is not None and not body.text:
                    body.text, body.text_from_html = rendering.to_text(opened.html), True
        return True

    def _calendar(self, part: Part, content: bytes) -> None:
        """What an invitation, a change, a cancellation or an answer says, where the mail's own text does not."""
        body = self._body
        sender = addresses.parse(self._root.first.get("from", ""), [], self._hint)
        told = invitation.tell(
            content,
            part.parameters.get("charset"),
            part.parameters.get("method", ""),
            sender[0].email if sender else "",
        )
        if told is None or not told.text:
            return
        if not (told.answers or told.changes):
            if not body.text.strip() and body.html is None:
                body.text, body.text_from_html = told.text, False
            return
        body.answers_uid = told.uid
        own = "" if told.says(body.text) else body.text
        if body.html is not None:
            body.html = (
                None if told.says(rendering.to_text(body.html)) else _htmls([(told.text, None), ("", body.html)])
            )
        body.text, body.text_from_html = _texts([told.text, own]), False

    def _fragment(self, part: Part) -> None:
        words = fragments.words(part.parameters)
        if words and not self._body.text.strip():
            self._body.text = words

    def _wrapped(self, chosen: bodies.Selection) -> Mail | None:
        """The mail that a list put into one of its own (Mailman's wrap_message): what else is there is the list's."""
        first = self._root.first
        if (
            self._read is None
            or self._root.kind != "multipart/mixed"
            or not any(name in first for name in _LIST_FIELDS)
        ):
            return None
        messages = [part for part in chosen.attached if part.kind in MESSAGES]
        others = [part for part in chosen.attached if part.kind not in MESSAGES]
        if len(messages) != 1 or others or messages[0].disposition.kind == "attachment":
            return None
        if messages[0].within != "multipart/mixed" or any(part.kind != "text/plain" for part in chosen.text):
            return None
        inner = self._read(self._reader.content(messages[0]))
        if inner.from_ is None:
            return None
        author = inner.from_.email.lower()
        outer = addresses.parse(first.get("from", ""), [], self._hint)
        replies = addresses.parse(first.get("reply-to", ""), [], self._hint)
        if outer and outer[0].email.lower() == author:
            return None  # the author's own mail, which forwards another one or is not rewritten
        same_list = _list_id(first.get("list-id")) == _list_id(inner.header("list-id")) != ""
        munged = any(box.email.lower() == author for box in replies)
        named = bool(outer and inner.from_.name and inner.from_.name in outer[0].name)
        return inner if same_list or munged or named else None

    def _forwarded_text(self, parts: Sequence[Part]) -> str:
        """The texts of messages that a mail without words of its own shows in its place (digests, bare forwards)."""
        if self._read is None:
            return ""
        texts = []
        for part in parts[:MAX_DIGEST]:
            if part.kind in MESSAGES and part.disposition.kind != "attachment":
                inner = self._read(self._reader.content(part)).text
                if inner.strip():
                    texts.append(inner.rstrip("\n") + "\n")
        return "\n".join(texts)


def _first_leaf(part: Part) -> Part:
    while part.children:
        part = part.children[0]
    return part


def _list_id(value: str | None) -> str:
    found = _LIST_ID.search(encoded_words.decode(value, [])) if value else None
    return found.group(1).strip().lower() if found else (value or "").strip().lower()


def _texts(pieces: Sequence[str]) -> str:
    return "\n".join(piece.rstrip("\n") + "\n" for piece in pieces if piece.strip())


def _htmls(pieces: Sequence[tuple[str, str | None]]) -> str | None:
    """Bodies after each other as HTML; None where none has any."""
    if not any(html is not None for _, html in pieces):
        return None
    return "\n".join(
        html if html is not None else f"{bodies.PLAIN_PART}{html_escape.escape(text)}</div>"
        for text, html in pieces
        if html is not None or text.strip()
    )
