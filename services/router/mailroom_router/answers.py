"""Whom an answer to a mail goes to: decided once, from the mail and the configuration (decision 0041). Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mailroom_contracts import Answers, EmailReceived, Person, Recipients, Verdicts
from mailroom_mail import comparable, is_list_control

from .authorship import CLAIMED, DIRECT, UNKNOWN

MOST_RECIPIENTS = 200
_GMAIL = frozenset({"gmail.com", "googlemail.com"})

IsOurs = Callable[[str], bool]


def answers(
    received: EmailReceived,
    writer: Person,
    is_ours: IsOurs,
    *,
    verdicts: Verdicts | None = None,
    domains: frozenset[str] = frozenset(),
    grade: str = DIRECT,
    lists: Iterable[str] = (),
) -> Answers:
    """*Reply* and *reply to all* for a mail.

    `writer` is who wrote it (behind a list: the person). Reply-To is a list, and all of it counts (RFC 5322 section
    3.6.2); what is ours is left out; where nothing is left, the writer. To all: To and Cc too, each mailbox once. A mail
    that names none of our addresses came as Bcc (or through a list): its answer goes to the sender alone. `domains` are
    those of our addresses: a trace of delivery at one of them shows an alias of ours. `lists` are addresses of mailing
    lists, which are never proposed; `grade` says how sure the writer is: where a list or a form of ours wrote the header,
    Reply-To is not the writer's word, and where nobody can tell who wrote, nobody is proposed.
    """
    content = received.content
    own = _own(received, is_ours, domains, frozenset(lists))
    verdicts = verdicts or received.verdicts
    # a false From with a Reply-To is how answers are stolen; a form on our own site writes as we do, and may fail too
    trusted = grade == DIRECT and (not verdicts.dmarc_failed or own(writer.email))
    to = _once((p for p in content.reply_to if trusted and not own(p.email)), ())
    if grade == UNKNOWN:
        to = []
    elif not to and writer.email and comparable(writer.email) not in lists:
        to = [writer]
    reply = Recipients(to=to)
    visible = [*content.to, *content.cc]
    if to and any(own(p.email) for p in visible):
        taken = {same(p.email) for p in to}
        everybody = _once((p for p in content.to if not own(p.email)), taken)
        taken |= {same(p.email) for p in everybody}
        copies = _once((p for p in content.cc if not own(p.email)), taken)
        # the writer first; whoever else was addressed stays where the mail had them
        reply_all = Recipients(to=[*to, *everybody], cc=copies)
    else:
        reply_all = reply
    return Answers(reply=reply, reply_all=reply_all, warnings=_warnings(writer, to, verdicts, grade))


def customer_of(received: EmailReceived, writer: Person, is_ours: IsOurs) -> Person:
    """The customer: who wrote; where that is an address of ours (a form on a web site), whom Reply-To names."""
    if not is_ours(writer.email):
        return writer
    own = _own(received, is_ours, frozenset())
    return next((p for p in received.content.reply_to if p.email and not own(p.email)), writer)


def same(email: str) -> str:
    """Equal for the forms of one mailbox that can be told without asking its server: case, and Gmail's dots and tags."""
    local, at, domain = comparable(email).rpartition("@")
    if domain in _GMAIL:
        return f"{local.partition('+')[0].replace('.', '')}@gmail.com"
    return f"{local}{at}{domain}"


def _own(
    received: EmailReceived, is_ours: IsOurs, domains: frozenset[str], lists: frozenset[str] = frozenset()
) -> IsOurs:
    """Nobody to be answered: ours by the configuration, or one that this very mail was delivered to (an alias that a server
    resolved), or a list's."""
    delivered = {same(r) for r in received.envelope.rcpt_to}
    delivered |= {same(t.address) for t in received.content.traces if t.address.rpartition("@")[2].lower() in domains}
    return lambda email: (
        is_ours(email) or same(email) in delivered or comparable(email) in lists or is_list_control(email)
    )


def _once(people: Iterable[Person], taken: Iterable[str]) -> list[Person]:
    found: dict[str, Person] = {}
    seen = set(taken)
    for person in people:
        key = same(person.email)
        if "@" in key and key not in seen:
            seen.add(key)
            found[key] = person
        if len(found) >= MOST_RECIPIENTS:
            break
    return list(found.values())


def _warnings(writer: Person, to: list[Person], verdicts: Verdicts, grade: str) -> list[str]:
    if grade != DIRECT:  # the verdicts are about the list, or about a form of ours
        return {CLAIMED: ["writer_unproven"], UNKNOWN: ["writer_unknown"]}.get(grade, [])
    warnings: list[str] = []
    if verdicts.dmarc != "pass" and any(not _related(p.email, writer.email) for p in to):
        warnings.append("reply_to_elsewhere")
    if verdicts.dmarc_failed:
        warnings.append("dmarc_failed")
    return warnings


def _related(one: str, other: str) -> bool:
    """Whether two addresses lie at one domain, or at one below the other's."""
    a, b = (f".{email.rpartition('@')[2].lower()}" for email in (one, other))
    return a.endswith(b) or b.endswith(a)
