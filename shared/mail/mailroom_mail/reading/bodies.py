"""Which leaves are the body and which are attachments (RFC 8621 section 4.1.4), and the body as text and HTML."""

from __future__ import annotations

import html as html_escape
import re
from collections.abc import Mapping

from mailroom_mail.showing import rendering

from . import charsets, flowed, parameters, pgp_armour, transfer
from .charset_labels import codec_name
from .defect_names import add
from .model import Attachment
from .structure import Part

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
# How a plain part stands in a body of HTML.
PLAIN_PART = '<div style="white-space:pre-wrap">'
_SHOWN = ("text/plain", "text/html")
_MEDIA = ("image/", "audio/", "video/")
_DATA = ("text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/csv")  # no versions of a text
_ENRICHED = ("text/enriched", "text/richtext")


class Selection:
    """The leaves, sorted: what is shown as text, as HTML, and what is attached, each in order."""

    def __init__(self) -> None:
        self.text: list[Part] = []
        self.html: list[Part] = []
        self.attached: list[Part] = []
        self.versions: list[Part] = []  # of the text in types that are not shown, beside one that is


def select(root: Part) -> Selection:
    """Sort the leaves of a tree. Iterative, for trees may be thousands of levels deep."""
    chosen = Selection()
    if not root.children:
        if root.is_multipart:
            chosen.text.append(root)  # nothing could be taken apart: shown as it stands
        elif (root.kind in _SHOWN or root.kind in _ENRICHED) and root.disposition.kind != "attachment":
            (chosen.html if root.kind == "text/html" else chosen.text).append(root)
            if root.kind == "text/html":
                chosen.text.append(root)
        else:
            chosen.attached.append(root)
        return chosen
    # Each frame: a multipart, the next child, how many text and html parts there were, and which lists are open to it.
    stack: list[list[object]] = [[root, 0, 0, 0, True, True]]
    while stack:
        frame = stack[-1]
        node: Part = frame[0]  # type: ignore[assignment]
        index: int = frame[1]  # type: ignore[assignment]
        if index >= len(node.children):
            stack.pop()
            _complete(node, chosen, int(frame[2]), int(frame[3]), bool(frame[4]), bool(frame[5]))  # type: ignore[call-overload]
            continue
        frame[1] = index + 1
        part = node.children[index]
        if part.is_multipart and part.children:
            stack.append([part, 0, len(chosen.text), len(chosen.html), frame[4], frame[5]])
            continue
        _place(part, index, node, frame, chosen)
    if chosen.versions and not chosen.text and not chosen.html:
        chosen.text.append(chosen.versions.pop())  # the last is the best (RFC 2046 section 5.1.4)
    return chosen


def _place(part: Part, index: int, node: Part, frame: list[object], chosen: Selection) -> None:
    kind = "text/plain" if part.is_multipart else part.kind
    media = kind.startswith(_MEDIA)
    inline = (
        part.disposition.kind != "attachment"
        and kind in _SHOWN
        and (index == 0 or (node.kind != "multipart/related" and not part.filename))
    )
    if kind in _SHOWN and not inline and node.kind == "multipart/related" and index == _root_of_related(node):
        inline = part.disposition.kind != "attachment"
    if part.is_multipart and part.start >= part.end:
        return  # an empty multipart says nothing
    if _is_version(part, kind, node):
        chosen.versions.append(part)
        return
    if media or not inline:
        chosen.attached.append(part)
        return
    if node.kind == "multipart/alternative":
        (chosen.html if kind == "text/html" else chosen.text).append(part)
        return
    if part.in_alternative:
        # In a branch of an alternative the first text says which version the branch is.
        if kind == "text/plain":
            frame[5] = False
        else:
            frame[4] = False
    if frame[4]:
        chosen.text.append(part)
    if frame[5]:
        chosen.html.append(part)


def _is_version(part: Part, kind: str, node: Part) -> bool:
    """Whether a part is the same text once more, for programs that show its type (AMP, watches, enriched, Markdown)."""
    return (
        node.kind == "multipart/alternative"
        and kind.startswith("text/")
        and kind not in _SHOWN
        and kind not in _DATA
        and part.disposition.kind != "attachment"
    )


def _complete(node: Part, chosen: Selection, texts: int, htmls: int, text_open: bool, html_open: bool) -> None:
    """After an alternative: a version that is missing is stood in for by the other one."""
    if node.kind != "multipart/alternative" or not (text_open and html_open):
        return
    if len(chosen.text) == texts and len(chosen.html) > htmls:
        chosen.text.extend(chosen.html[htmls:])
    elif len(chosen.html) == htmls and len(chosen.text) > texts:
        chosen.html.extend(chosen.text[texts:])


def _root_of_related(node: Part) -> int:
    start = node.parameters.get("start", "").strip()
    if start:
        for index, child in enumerate(node.children):
            if child.first.get("content-id", "").strip() == start:
                return index
    return 0


class Bodies:
    """Text and HTML of the selected parts, decoded once each, with uuencoded files taken out."""

    def __init__(self, raw: bytes, defects: list[str], hint: str | None) -> None:
        self._raw = raw
        self._defects = defects
        self._hint = hint
        self._decoded: dict[int, str] = {}
        self.files: list[Attachment] = []
        self.protection: list[str] = []  # what stands within the text is put into (`secured`)

    def content(self, part: Part) -> bytes:
        """The part's bytes, transfer encoding undone."""
        data = self._raw[part.start : part.end]
        if not part.transfer_encoding:
            return data
        return transfer.decode(data, part.transfer_encoding, self._defects, text=part.kind.startswith("text/"))

    def decoded(self, part: Part) -> str:
        """The part's text with line feeds only and no NULs."""
        known = self._decoded.get(id(part))
        if known is not None:
            return known
        data = self.content(part)
        label = part.parameters.get("charset")
        if part.kind == "text/html" and (not label or codec_name(label) in (None, "ascii")):
            meta = _META_CHARSET.search(data[:4096])
            if meta and not data.isascii():
                label = meta.group(1).decode("latin-1")
        text = charsets.decode(data, label, self._defects, self._hint)
        del data  # a large mail is not held more often than needed
        if "\0" in text:
            add(self._defects, "nul-bytes")
            text = text.replace("\0", "")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if part.kind == "text/html":
            if pgp_armour.BEGIN in text:
                text = self._armoured(pgp_armour.open_html(text))
        elif part.kind in ("text/plain", "application/pgp"):
            text = self._plain(part, text)
        elif part.kind in _ENRICHED:
            text = _enriched(text)
        self._decoded[id(part)] = text
        return text

    def _plain(self, part: Part, text: str) -> str:
        if "begin" in text:
            text, files = transfer.split_uuencoded(text, self._defects)
            self.files.extend(
                Attachment(name or None, parameters.kind_of_name(name), content) for name, content in files
            )
        if pgp_armour.BEGIN in text:
            text = self._armoured(pgp_armour.open_text(text))
        said = part.parameters
        return unflowed(text, said) if said.get("format", "").lower() == "flowed" else text

    def _armoured(self, opened: pgp_armour.Opened) -> str:
        if opened.signed:
            self.protection.append("signed:openpgp")
        if opened.sealed:
            self.protection.append("encrypted:openpgp")
        return opened.text

    def text(self, parts: list[Part]) -> tuple[str, bool]:
        """What a person reads, and whether all of it was made from HTML."""
        pieces: list[str] = []
        from_html = bool(parts)
        for part in parts:
            if part.kind == "text/html":
                pieces.append(rendering.to_text(self.decoded(part)))
            else:
                from_html = False
                pieces.append(self.decoded(part))
        if len(pieces) == 1:
            return pieces[0], from_html
        return "\n".join(piece.rstrip("\n") + "\n" for piece in pieces if piece.strip()), from_html

    def html(self, parts: list[Part]) -> str | None:
        """The HTML as sent; plain parts between HTML ones are wrapped so that they keep their place."""
        if not any(part.kind == "text/html" for part in parts):
            return None
        if len(parts) == 1:
            return self.decoded(parts[0])
        pieces = []
        for part in parts:
            if part.kind == "text/html":
                pieces.append(self.decoded(part))
            elif (text := self.decoded(part)).strip():
                pieces.append(f"{PLAIN_PART}{html_escape.escape(text)}</div>")
        return "\n".join(pieces)


def unflowed(text: str, said: Mapping[str, str]) -> str:
    """format=flowed text as paragraphs; `said` are the part's Content-Type parameters."""
    return flowed.unflow(text, delete_space=said.get("delsp", "").lower() == "yes")


_REPORT_PARTS = frozenset({"message/delivery-status", "message/disposition-notification"})
_NAME_IN_URL = re.compile(r"[^/?#:]+\.[A-Za-z0-9]{1,5}")


def attachment(
    fields: Mapping[str, str], kind: str, disposition: str, name: str | None, content: bytes, html: str | None
) -> Attachment:
    """The record of a leaf that is attached; `fields` are its header's first values by lower-case name."""
    content_id = fields.get("content-id")
    if content_id:
        content_id = content_id.strip().strip("<>").strip() or None
    if name is None and "content-location" in fields and kind not in _REPORT_PARTS:
        name = _location_name(fields["content-location"])
    inline = bool(content_id and html and f"cid:{content_id}" in html) or (
        disposition == "inline" and kind.startswith("image/")
    )
    return Attachment(name, kind, content, content_id, inline)


def _location_name(location: str) -> str | None:
    """The last piece of Content-Location where that is all that names the part."""
    last = location.strip().strip('"').rpartition("/")[2].partition("?")[0]
    return last if _NAME_IN_URL.fullmatch(last) else None


_TAG = re.compile(r"<(/?)(\w[\w-]{0,60})>|<<")


def _enriched(text: str) -> str:
    """text/enriched (RFC 1896) without its commands."""
    text = re.sub(r"<param>[^<]*</param>", "", text, flags=re.IGNORECASE)
    text = re.sub(r"<nl>", "\n", text, flags=re.IGNORECASE)
    return _TAG.sub(lambda match: "" if match[2] else "<", text)
