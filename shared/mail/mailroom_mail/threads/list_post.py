"""Posts of mailing lists: the list's own addresses, and the person who wrote (RFC 2369, RFC 2919 and practice). Pure.

Managers that rewrite From for the sake of DMARC leave the author elsewhere, each in fields of its own; what they do was
taken from Mailman 3.3, mlmmj 1.3 and Sympa 6.2 at work, and from the documentation of Google Groups. All of these fields can
be written by anybody: whether the author is proven is said by `trust.restored_author`, whether a list may vouch for its
members by whoever knows which lists are trusted.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from itertools import islice

from mailroom_mail.reading.domain_names import comparable
from mailroom_mail.reading.model import ListPost, Mail, Mailbox

_MAILTO = re.compile(r"<\s*mailto:([^\s<>?]{1,320})", re.IGNORECASE)
_LIST_ID = re.compile(r"<([^\s<>]{1,255})>\s*$")
_ADDRESS = re.compile(r"[^\s<>,;:\"()\[\]]{1,128}@[^\s<>,;:\"()\[\]]{1,255}")
_SPACES = re.compile(r"\s+")
# Where a list names itself as an address, and nothing but itself.
# What list managers put on every post.
MANAGER_FIELDS = (
    "list-id",
    "list-unsubscribe",
    "list-post",
    "list-help",
    "list-subscribe",
    "list-owner",
    "list-archive",
    "x-mailing-list",
    "mailing-list",
    "x-mailman-version",
    "x-beenthere",
)
_NAMING = ("x-beenthere", "x-mailing-list", "mailing-list")
_ID_FIELDS = ("list-id", "list-post", *_NAMING)
_TELLING_FIELDS = frozenset((*_ID_FIELDS, "x-original-from", "x-original-sender"))
_LONGEST = 2_000
_MOST_VALUES = 50  # of a field
_LONGEST_NAME = 700  # of an address that is remembered
# mlmmj marks its mails by the envelope alone: LIST+bounces-NUMBER-member=host@ for posts, LIST+bounces-WORD[…]@ for its own.
_MLMMJ_PATH = re.compile(
    r"([^@+\s]{1,128})\+bounces-(?:(\d+)-[^@\s]{1,255}|[a-z]{3,20}(?:-[^@\s]{1,255})?)(@[^@\s]{1,255})"
)
_MLMMJ_ID = re.compile(r"\d{6,20}-\d{1,10}-mlmmj-[0-9a-f]{8}@[^\s@]+")
# What stands behind the list's name in the addresses that its program answers or acts on.
_CONTROL = re.compile(
    r"(?:owner|request|help|bounces?|join|leave|(?:un)?sub(?:scribe)?|confirm|conf(?:un)?sub|release|reject|moderate|moderators?|"
    r"admin|editor|faq|get|list|digests?|nomail|obstruct|permit|accept|discard|probe)(?:[-+=].*)?"
)
# By its form alone, without a list that is known: only what a person's sub-address hardly is.
_PLUS_CONTROL = re.compile(
    r"[^@+\s]{1,128}\+(?:owner|help|bounces(?:-.*)?|(?:un)?subscribe(?:-(?:digest|nomail|both))?|"
    r"(?:release|reject|moderate|obstruct|permit|conf(?:un)?sub)-.+)"
)
_MAILMAN_CONFIRM = re.compile(r"[^@+\s]{1,128}-confirm\+[0-9a-f]{16,64}")
# Addresses of list programs, and such of lists' that only a mail marked as automatic makes a program's.
_PROGRAM = re.compile(r"(?:sympa|majordomo|list-?serv|mailman|ezmlm|ecartis|mlmmj)(?:-(?:request|owner|bounces))?")
_MAYBE_PROGRAM = re.compile(r"owner-.+|.+-(?:request|owner|bounces|editor)")
_SYMPA_ID = re.compile(r"sympa\.[\d.]+@([^\s@]+)")
# Separators of a digest in plain text (RFC 1153).
_DIGEST = re.compile(r"^-{30}\n+(?:Message|Date|From|Subject): ", re.MULTILINE)


def list_post(
    mail: Mail, return_path: str | None = None, signs: Iterable[str] = (), names: Collection[str] | None = None
) -> ListPost | None:
    """What a mailing list did to the mail, or None where none had a hand in it.

    `return_path` is the envelope's sender, without which mlmmj's posts cannot be told; `signs` are the mail's automatic
    signs, of which the list's own are named. `names` are the names of its fields, lower-case, where they are known.
    """
    names = {name.lower() for name, _ in mail.headers} if names is None else names
    path = (return_path or "").strip("<> ").lower()
    by_path = _MLMMJ_PATH.fullmatch(path) if "+bounces-" in path else None
    by_form = _is_notice_by_form(mail, by_path)
    if by_path is None and not by_form and _TELLING_FIELDS.isdisjoint(names):
        return None
    original = "x-original-from" in names or "x-original-sender" in names
    lists = _Names(mail, names)
    if by_path is not None:
        lists.known.add(by_path[1] + by_path[3])
    sender = mail.from_
    own = lists.mentioned()
    if by_form or (sender is not None and lists.is_control(sender.email)):
        own |= {
            comparable(box.email)
            for box in mail.reply_to[:50]
            if lists.is_control(box.email) or _is_of_program(box.email)
        }
        if sender is not None:
            own.add(comparable(sender.email))
        return _post(mail, lists, own, signs, None, notice=True, digest=_is_digest(mail, path))
    if sender is None:
        return _post(mail, lists, own, signs, None)
    rewritten = lists.has(sender.email)
    if not rewritten and _is_anonymous(mail, lists):
        own.add(comparable(sender.email))
        rewritten = True
    said = _said_author(mail, lists) if len(mail.all_headers("from")) == 1 else None
    if said is not None and (rewritten or original):
        author, source = said
        if comparable(author.email) == comparable(sender.email):
            rewritten = False  # it says again what From says
        else:
            rewritten = True
            own.add(comparable(sender.email))
            return _post(mail, lists, own, signs, author, source=source, rewritten=True)
    if rewritten:
        return _post(mail, lists, own, signs, None, rewritten=True)
    return _post(mail, lists, own, signs, sender, source="from") if own else None


def _post(
    mail: Mail,
    lists: _Names,
    own: set[str],
    signs: Iterable[str],
    author: Mailbox | None,
    *,
    source: str = "",
    rewritten: bool = False,
    notice: bool = False,
    digest: bool = False,
) -> ListPost:
    of_list = _list_signs(mail, signs, lists)
    return ListPost(tuple(sorted(own)), author, source, rewritten, notice, digest, of_list)


class _Names:
    """The addresses by which the list calls itself."""

    def __init__(self, mail: Mail, names: Collection[str]) -> None:
        self._mail = mail
        self.known: set[str] = set()
        self._ids: set[str] = set()
        if "list-post" in names:
            self.known.update(comparable(box) for value in self._values("list-post") for box in _MAILTO.findall(value))
        if "list-id" in names:  # some write the list's address in it
            self._ids.update(i.replace("@", ".") for value in self._values("list-id") if (i := list_id(value)))
        for name in _NAMING:
            if name in names:
                found = (_ADDRESS.search(value) for value in self._values(name))
                self.known.update(comparable(box[0]) for box in found if box)
        self.known.update(self.mentioned())
        for one in () if self.known else self._ids:  # RFC 2919: LIST.HOST, which most lists have as LIST@HOST
            local, _, host = one.partition(".")
            if "." in host:
                self.known.add(f"{local}@{host}")

    def _values(self, name: str) -> Iterable[str]:
        """The different values of a field: one said many times must not push another out of sight."""
        return islice(dict.fromkeys(value[:_LONGEST] for value in self._mail.all_headers(name)), _MOST_VALUES)

    def has(self, address: str) -> bool:
        """Whether an address is the list's: named as such, or List-Id with its first dot for the @ (RFC 2919 section 2)."""
        lower = comparable(address)
        return lower in self.known or lower.replace("@", ".") in self._ids

    def mentioned(self) -> set[str]:
        """The list's addresses among those of the mail, and those that it names itself by."""
        mail = self._mail
        boxes = (
            *(box for box in (mail.from_, mail.sender) if box),
            *mail.reply_to[:50],
            *mail.to[:200],
            *mail.cc[:200],
        )
        return self.known | {comparable(box.email) for box in boxes if self.has(box.email)}

    def is_control(self, address: str) -> bool:
        """Whether it is an address of the list's program: LIST-owner@, LIST-request@, LIST-confirm+TOKEN@ and their kin."""
        local, _, host = comparable(address).rpartition("@")
        return len(local) <= 400 and any(
            character in "-+" and _CONTROL.fullmatch(local, at + 1) is not None and self.has(f"{local[:at]}@{host}")
            for at, character in enumerate(local)
        )


def list_id(value: str) -> str | None:
    """The identifier in a List-Id field (RFC 2919 section 3), lower case."""
    value = value[:_LONGEST].strip()
    found = _LIST_ID.search(value)
    identifier = found[1] if found else value
    return identifier.lower() if "." in identifier and " " not in identifier else None


def is_list_path(path: str) -> bool:
    """Whether an envelope sender is that of a post through mlmmj, which says in no other place that it is one."""
    return "+bounces-" in path and _MLMMJ_PATH.fullmatch(path.strip("<> ").lower()) is not None


def is_list_control(address: str) -> bool:
    """Whether an address by its form alone is one that a list's program acts on: mlmmj's LIST+owner@ and
    LIST+release-TOKEN@, Mailman's LIST-confirm+TOKEN@ and their kin."""
    local = (address.rpartition("@")[0] or address).lower()
    if "+" not in local or len(local) > 400:
        return False
    return _PLUS_CONTROL.fullmatch(local) is not None or _MAILMAN_CONFIRM.fullmatch(local) is not None


def _is_of_program(address: str) -> bool:
    return any(_by_name(address[-_LONGEST_NAME:]))


def _is_notice_by_form(mail: Mail, by_path: re.Match[str] | None) -> bool:
    """mlmmj's own mails bear no field that says so: its envelope, its addresses and its Message-IDs do."""
    if by_path is not None and by_path[2] is None:
        return True
    if mail.message_id and "-mlmmj-" in mail.message_id and _MLMMJ_ID.fullmatch(mail.message_id):
        return True
    if mail.from_ is not None:
        of_program, maybe = _by_name(mail.from_.email[-_LONGEST_NAME:])
        if of_program or (maybe and _is_automatic(mail)):
            return True
    return bool(mail.reply_to) and any(is_list_control(box.email) for box in mail.reply_to[:50])


@lru_cache(maxsize=2000)
def _by_name(address: str) -> tuple[bool, bool]:
    """Whether an address is a list program's by itself, and whether it is one in an automatic mail."""
    local = address.rpartition("@")[0].lower()[:400]
    return (
        _PROGRAM.fullmatch(local) is not None or is_list_control(address),
        _MAYBE_PROGRAM.fullmatch(local) is not None,
    )


def _is_automatic(mail: Mail) -> bool:
    return any(value.strip().lower().startswith("auto-") for value in mail.all_headers("auto-submitted"))


def _is_anonymous(mail: Mail, lists: _Names) -> bool:
    """Sympa's anonymous_sender: From is an address that the list's owner set, and the Message-ID a new one of Sympa's."""
    found = _SYMPA_ID.fullmatch((mail.message_id or "").lower())
    host = mail.from_.email.rpartition("@")[2].lower() if mail.from_ is not None else ""
    return found is not None and host == found[1] and any(one.endswith("@" + host) for one in lists.known)


def _is_digest(mail: Mail, path: str) -> bool:
    """Whether what a list's program sent are several posts in one."""
    if "+bounces-digest" in path or "digest" in mail.subject.lower() or _DIGEST.search(mail.text) is not None:
        return True
    by_request = mail.from_ is not None and "-request@" in mail.from_.email.lower()
    return (
        by_request and not _is_automatic(mail) and any(one.content_type == "message/rfc822" for one in mail.attachments)
    )


def _said_author(mail: Mail, lists: _Names) -> tuple[Mailbox, str] | None:
    """Who is said to have written a mail whose From is the list's, and where that stands."""
    inner = mail.enclosed
    if inner is not None and inner.from_ is not None and not lists.has(inner.from_.email):
        return inner.from_, "wrapped"
    for name in ("x-original-from", "x-original-sender"):
        values = mail.all_headers(name)
        if len(values) == 1 and (box := _one_mailbox(values[0])) is not None and not lists.has(box.email):
            return box, name
    if mail.from_ is None or mail.header("x-mailman-version") is None:
        return None
    # Mailman adds the author as the last: of Reply-To, or, where that leads to the list or elsewhere, of Cc.
    for boxes, name in ((mail.reply_to, "reply-to"), (mail.cc, "cc")):
        if boxes and not lists.has(boxes[-1].email) and _begins(mail.from_.name, boxes[-1]):
            return boxes[-1], name
    return None


def _one_mailbox(value: str) -> Mailbox | None:
    """The mailbox of a field that holds exactly one. The field was decoded, so that a name may hold what it likes."""
    value = value[:_LONGEST]
    found = {one.lower() for one in _ADDRESS.findall(value)}
    if len(found) != 1:
        return None
    name, bracket, address = value.rpartition("<")
    email = address.partition(">")[0].strip() if bracket else value.strip()
    return Mailbox(email, name.strip().strip('"').strip()) if _ADDRESS.fullmatch(email) else None


def _begins(phrase: str, box: Mailbox) -> bool:
    """Whether From's phrase begins with a person's name, then a word ("via", "über") and the list's name.

    A person without a name stands as the part before the @ and three hyphens.
    """
    name = _squeezed(box.name) or f"{_squeezed(box.email.rpartition('@')[0])}---"
    whole = _squeezed(phrase)
    return whole.startswith(name + " ") and len(whole[len(name) :].split()) >= 2


def _squeezed(text: str) -> str:
    return _SPACES.sub(" ", text).strip().strip("'\"").casefold()


_OF_LISTS = frozenset((*MANAGER_FIELDS, "precedence:list", "list:envelope"))


def _list_signs(mail: Mail, signs: Iterable[str], lists: _Names) -> tuple[str, ...]:
    """The automatic signs that a list puts on every post, whoever wrote it."""
    kept = tuple(signs)
    mine = [sign for sign in kept if sign in _OF_LISTS]
    if mine:
        mine += [sign for sign in kept if sign == "return-path:machine"]
    if "precedence:list" in kept and "precedence:bulk" in kept:  # Sympa says both
        mine.append("precedence:bulk")
    if any(lists.has(value.strip()) for value in mail.all_headers("x-loop")):
        mine += [sign for sign in kept if sign.startswith("x-loop")]
    if mail.sender is not None and lists.is_control(mail.sender.email):
        mine += [sign for sign in kept if sign.startswith("sender:")]
    return tuple(dict.fromkeys(mine))
