"""Address headers (RFC 5322 section 3.4, the obsolete syntax, and what real senders write instead)."""

from __future__ import annotations

import re

from . import encoded_words
from .defect_names import add
from .model import Mailbox

MAX_ADDRESSES = 5000
MAX_UNCLOSED = 8
MAX_LENGTH = 1 << 17  # characters of one header; what follows is not read

_PLAIN = re.compile(r"([\w.+'=&/-]+@[\w.-]+)", re.ASCII)
_NAMED = re.compile(r'(?:"([^"\\<>@]*)"|([^"\\<>@(),:;]*?)) ?<([\w.+\'=&/-]+@[\w.-]+)>', re.ASCII)
_WORD_MASK = re.compile(r"\ue000(\d+)\ue001")
_SPACES = re.compile(r"\s+")
_AROUND = re.compile(r" ?([@.]) ?")
_INNER_SPACE = "\ue002"  # a space within a quoted local part, which separates nothing


def parse(value: str, defects: list[str], hint: str | None = None) -> tuple[Mailbox, ...]:
    """Every mailbox in an address header, groups flattened; `value` is unfolded but not yet decoded."""
    match = _NAMED.fullmatch(value)
    if match:
        quoted, name, email = match.groups()
        name = quoted if quoted is not None else name
        if "\t" in name or "  " in name:
            name = _SPACES.sub(" ", name)
        return (Mailbox(email, name.strip()),) if "=?" not in name else (Mailbox(email, _name(name, defects, hint)),)
    if _PLAIN.fullmatch(value):
        return (Mailbox(value),)
    if not value:
        return ()
    if len(value) > MAX_LENGTH or (len(value) > 20000 and value.count(",") > MAX_ADDRESSES):
        add(defects, "too-many-addresses")
        value = value[:MAX_LENGTH]
    elif '"' not in value and "(" not in value and "=?" not in value and "," in value:
        simple = _simple_list(value)
        if simple is not None:
            return simple
    found = _Reader(value, defects, hint).mailboxes()
    if not found and "=?" in value:  # the whole address stands in an encoded word
        decoded = encoded_words.decode(value, defects, hint)
        if decoded != value and "@" in decoded:
            add(defects, "encoded-address")
            return _Reader(decoded, defects, hint).mailboxes()
    return found


def _simple_list(value: str) -> tuple[Mailbox, ...] | None:
    boxes = []
    for piece in value.split(","):
        piece = piece.strip()
        if _PLAIN.fullmatch(piece):
            boxes.append(Mailbox(piece))
            continue
        match = _NAMED.fullmatch(piece)
        if match is None:
            return None
        boxes.append(Mailbox(match[3], _SPACES.sub(" ", match[2]).strip()))
        if len(boxes) > MAX_ADDRESSES:
            return None
    return tuple(boxes)


def _name(text: str, defects: list[str], hint: str | None) -> str:
    if "=?" in text:
        text = encoded_words.decode(text, defects, hint)
    text = _SPACES.sub(" ", text).strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    return text


class _Reader:
    """One pass over the characters: quotes, comments, angles, groups; what is left unclosed ends at the end."""

    def __init__(self, value: str, defects: list[str], hint: str | None) -> None:
        self._defects = defects
        self._hint = hint
        self._words: list[str] = []
        # Encoded words may hold commas, quotes and brackets as they are: kept out of sight while reading.
        self._text = encoded_words.WORD.sub(self._mask, value) if "=?" in value else value
        self._boxes: list[Mailbox] = []
        # What keeps the reader linear: a bracket once known to be unclosed is not searched for again.
        self._close_angle = -2  # not searched for yet
        self._has_at = "@" in value
        self._comments_close = True
        self._unclosed_quotes = 0
        self._reset()

    def _mask(self, match: re.Match[str]) -> str:
        self._words.append(match.group())
        return f"\ue000{len(self._words) - 1}\ue001"

    def _unmask(self, text: str) -> str:
        if "\ue000" not in text:
            return text
        words = self._words
        return _WORD_MASK.sub(lambda m: words[int(m[1])] if int(m[1]) < len(words) else "", text)

    def _reset(self) -> None:
        self._phrase: list[str] = []
        self._quoted: list[str] = []
        self._comments: list[str] = []
        self._angle: str | None = None
        self._may_be_group = True

    def mailboxes(self) -> tuple[Mailbox, ...]:
        text, position, length = self._text, 0, len(self._text)
        in_group = False
        while position < length and len(self._boxes) < MAX_ADDRESSES:
            char = text[position]
            if char == '"' and self._unclosed_quotes < MAX_UNCLOSED:
                position = self._quote(position)
            elif char == "(" and self._comments_close:
                position = self._comment(position)
            elif char == "<":
                position = self._angle_address(position)
            elif char in ",;":
                self._finish(more=char == ",")
                in_group = in_group and char != ";"
                position += 1
            elif char == ":" and not in_group and self._angle is None and self._is_group_name():
                self._reset()
                in_group = True
                position += 1
            else:
                stop = position + 1
                while stop < length and text[stop] not in '"(<,;:':
                    stop += 1
                self._phrase.append(text[position:stop])
                position = stop
        if position < length:
            self._add("too-many-addresses")
        self._finish(more=False)
        return tuple(self._boxes)

    def _is_group_name(self) -> bool:
        if self._may_be_group:
            phrase = "".join(self._phrase)
            self._may_be_group = "@" not in phrase and "[" not in phrase
        return self._may_be_group

    def _quote(self, position: int) -> int:
        text = self._text
        out: list[str] = []
        start = index = position + 1
        while index < len(text):
            char = text[index]
            if char == "\\" and index + 1 < len(text):
                out.append(text[start:index])
                out.append(text[index + 1])
                index += 2
                start = index
                continue
            if char == '"':
                out.append(text[start:index])
                content = "".join(out)
                if text.startswith("@", index + 1):  # a quoted local part keeps its quotes
                    self._phrase.append(f'"{content}"'.replace(" ", _INNER_SPACE))
                else:
                    self._phrase.append(content)
                    self._quoted.append(content)
                return index + 1
            index += 1
        self._add("unclosed-quote")
        self._unclosed_quotes += 1
        # Nothing closes it: the quote is only a character, so that the address after it is still found.
        return position + 1

    def _comment(self, position: int) -> int:
        text = self._text
        depth, index = 1, position + 1
        while index < len(text) and depth:
            char = text[index]
            if char == "\\":
                index += 1
            elif char == "(":
                depth += 1
            elif char == ")":
                depth -= 1
            index += 1
        if depth:
            self._add("unclosed-comment")
            self._comments_close = False
            angle = text.find("<", position)
            if angle >= 0:
                self._comments.append(text[position + 1 : angle])
                return angle
            self._comments.append(text[position + 1 :])
            return len(text)
        self._comments.append(text[position + 1 : index - 1])
        self._phrase.append(" ")
        return index

    def _angle_address(self, position: int) -> int:
        text = self._text
        close = self._close_angle
        if close == -2 or 0 <= close < position:
            close = self._close_angle = text.find(">", position)
        comma = text.find(",", position)
        if close < 0 or (0 <= comma < close and "@" in text[position:comma] and "<" in text[comma:close]):
            self._add("unclosed-angle")
            close = comma if comma >= 0 else len(text)
            inner, after = text[position + 1 : close], close
        else:
            inner, after = text[position + 1 : close], close + 1
        inner = inner.strip("< \t\r\n")
        if self._angle is None or ("@" not in self._angle and "@" in inner):
            if self._angle is not None:
                self._phrase.append(self._angle)
            self._angle = inner
        return after

    def _finish(self, *, more: bool) -> None:
        phrase = self._unmask("".join(self._phrase)).strip()
        comments = " ".join(self._unmask(comment).strip() for comment in self._comments).strip()
        if self._angle is None:
            if not phrase:
                self._reset()
                return
            if "@" not in phrase and more and self._has_at and len(self._phrase) < 20:
                # A comma within an unquoted name: "Doe, John <j@example.org>".
                self._phrase.append(",")
                return
            self._bare(phrase, comments)
        else:
            email = self._address(self._unmask(self._angle))
            name = _name(phrase or comments, self._defects, self._hint)
            if "@" not in email and ":" in email:  # a group that lost its way into the brackets
                email = ""
            if email or name:
                self._boxes.append(Mailbox(email, name))
        self._reset()

    def _bare(self, phrase: str, comments: str) -> None:
        if "=?" in phrase:
            phrase = encoded_words.decode(phrase, self._defects, self._hint)
            if "<" in phrase and "@" in phrase and not comments:
                self._boxes.extend(_Reader(phrase, self._defects, self._hint).mailboxes())
                return
        parts = phrase.split()
        if len(parts) > 1 and "@" in phrase:
            # RFC 5322 section 4.4: white space around dots and @; of a run one space is left, or a long run takes for ever
            joined = _AROUND.sub(r"\1", " ".join(parts))
            if " " not in joined and "\t" not in joined:
                parts = [joined]
            else:
                parts = joined.split()
                with_at = [part for part in parts if "@" in part]
                if len(with_at) > 1 and all("@" in part for part in parts):
                    self._boxes.extend(Mailbox(self._address(part)) for part in parts)
                    return
                if with_at:
                    email = with_at[-1]
                    name = " ".join(part for part in parts if part is not email)
                    self._add("address-without-angles")
                    self._boxes.append(
                        Mailbox(self._address(email), _name(name or comments, self._defects, self._hint))
                    )
                    return
        email = self._address(" ".join(parts)) if len(parts) == 1 else " ".join(parts)
        self._boxes.append(Mailbox(email, _name(comments, self._defects, self._hint)))

    def _address(self, text: str) -> str:
        if "=?" in text:
            text = encoded_words.decode(text, self._defects, self._hint)
        if "(" in text:
            text = re.sub(r"\([^()]*\)", "", text)
        text = text.replace(_INNER_SPACE, " ").strip().strip("<>;, ")
        if text.startswith("@") and ":" in text:  # source route, RFC 5322 section 4.4
            text = text.rpartition(":")[2]
        if text[:7].lower() == "mailto:":
            text = text[7:]
        if '"' not in text:
            text = "".join(text.split()) if "@" in text else text
        return text.rstrip(".,;") if "@" in text else text

    def _add(self, defect: str) -> None:
        add(self._defects, defect)
