"""From an order to a letter: bodies and attachments fetched, the mail written, the envelope set."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from mailroom_contracts import Address, OutboundMail, Person, Quote
from mailroom_mail import (
    Attachment,
    Mailbox,
    OutgoingMail,
    QuotedMail,
    comparable,
    compose,
    html_to_text,
    invitation_uids,
    sanitize,
)
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.process.apart import NotDone, apart
from mailroom_runtime.process.beside import beside
from mailroom_runtime.process.logs import get_logger

from .bodies import whole_quote, with_body
from .courier import Letter

log = get_logger()
MOST_QUOTED = 1_000_000  # characters of history below an answer; what is longer is quoted as text, or in part


def envelope_recipients(order: OutboundMail) -> tuple[str, ...]:
    """Everybody who gets it, Bcc included, each once; of a mail that goes again to some of them only these."""
    everybody = {comparable(p.email): p.email for p in (*order.to, *order.cc, *order.bcc)}
    only = {comparable(one) for one in order.envelope}
    return tuple(email for key, email in everybody.items() if not only or key in only)


def narrowed(order: OutboundMail) -> OutboundMail:
    """The order with those alone in its fields who get it: for Gmail, which takes the recipients from the fields."""
    if not order.envelope:
        return order
    only = {comparable(one) for one in order.envelope}
    to, cc, bcc = ([p for p in people if comparable(p.email) in only] for people in (order.to, order.cc, order.bcc))
    return order.model_copy(update={"to": to or cc, "cc": cc if to else [], "bcc": bcc})


async def letter(
    order: OutboundMail,
    address: Address,
    recipients: tuple[str, ...],
    blobs: BlobStore,
    *,
    uncertain: bool,
    tried: bool,
    still_ours: Callable[[], bool],
) -> Letter:
    """The letter of an order. The same order always gives the same bytes.

    Raises `BlobsDown` (try later), and `BlobMissing` or ValueError (it can never be written).
    """
    order = await made_safe(await with_body(order, blobs))
    given = ([order.quote] if order.quote else []) + order.quotes
    quotes = [await whole_quote(quote, blobs) for quote in given]
    attachments = [
        Attachment(
            filename=ref.filename,
            content_type=ref.content_type,
            content=await blobs.get(ref.blob),
            content_id=ref.content_id,
            inline=ref.inline,
        )
        for ref in order.attachments
    ]
    quoted = [await history(quote, forwarded=order.quote_style == "forward") for quote in quotes]
    if address.kind == "gmail":
        order = narrowed(order)
    mail = outgoing(order, address, quoted, tuple(attachments))
    size = sum(len(a.content) for a in attachments) + len(order.text) + len(order.html or "")
    size += sum(len(quote.text) + len(quote.html or "") for quote in quoted)
    raw = await beside(size, compose, mail)
    return Letter(
        raw=raw,
        sender=envelope_sender(order, address),
        recipients=recipients,
        uncertain=uncertain,
        tried=tried,
        still_ours=still_ours,
        invitation_uids=invitation_uids(attachments),
    )


def envelope_sender(order: OutboundMail, address: Address) -> str:
    """The return path: null for automatic mail through our own relay (RFC 3834 section 3.3), else the address.

    A customer's own server may refuse the null path for submission, so there the address stands.
    """
    return "" if address.kind == "internal" and order.kind == "auto_reply" else address.email


def outgoing(
    order: OutboundMail, address: Address, quoted: Sequence[QuotedMail], files: tuple[Attachment, ...]
) -> OutgoingMail:
    """The mail to write. It always leaves under the address's own name, whatever the order says."""
    name = order.from_.name if order.from_ is not None and order.from_.name else address.full_name
    auto = order.auto_submitted or {"auto_reply": "auto-replied", "probe": "auto-generated"}.get(order.kind)
    return OutgoingMail(
        message_id=order.rfc_message_id or f"{order.id}@{address.email.rpartition('@')[2]}",
        from_=Mailbox(address.email, name),
        date=order.created_at,
        to=_boxes(order.to),
        cc=_boxes(order.cc),
        bcc=_boxes(order.bcc),
        reply_to=_boxes(order.reply_to),
        subject=order.subject,
        text=order.text,
        html=order.html,
        quote=quoted[0] if quoted else None,
        earlier=tuple(quoted[1:]),
        attachments=files,
        in_reply_to=order.in_reply_to,
        references=tuple(order.references),
        auto_submitted=auto,
    )


async def made_safe(order: OutboundMail) -> OutboundMail:
    """The order with HTML that may leave under a customer's name, and with a text beside it.

    Whatever wrote the command: the console makes HTML safe before, another program may not. Done here, where all mail
    passes, and in a process of its own. HTML that is too much is left out. Raises ValueError where it was all there is.
    """
    if not order.html:
        return order
    named = {ref.content_id.strip("<>") for ref in order.attachments if ref.content_id}
    try:
        html, text = await apart(safe_body, order.html, named, not order.text.strip())
    except NotDone as problem:
        if not order.text.strip():
            raise ValueError(f"its HTML cannot be made safe ({problem}), and there is no text beside it") from problem
        log.warning("order.html_left_out", outbound_id=order.id, reason=str(problem), length=len(order.html))
        return order.model_copy(update={"html": None})
    return order.model_copy(update={"html": html, "text": order.text if order.text.strip() else text})


def safe_body(html: str, named: Collection[str], with_text: bool) -> tuple[str, str]:
    """Safe HTML, which shows pictures of the mail by their content ids (`named`), and its text where asked for. Pure."""
    safe = sanitize(html, inline={name: f"cid:{name}" for name in named}, remote_images=True).html
    return safe, html_to_text(safe) if with_text else ""


async def history(quote: Quote, *, forwarded: bool) -> QuotedMail:
    """The history, its HTML read in a process of its own: a stranger wrote it. Where that fails it is quoted as text."""
    author = Mailbox(quote.from_.email, quote.from_.name) if quote.from_ is not None else None
    text, html = quote.text, None
    if quote.html:
        try:
            html = (await apart(sanitize, quote.html)).html
            text = text or await apart(html_to_text, quote.html)
        except NotDone as problem:
            log.warning("quote.html_left_out", reason=str(problem), length=len(quote.html))
    if html is not None and len(html) > MOST_QUOTED:
        html = None
    return QuotedMail(
        from_=author,
        date=quote.date,
        text=text[:MOST_QUOTED],
        html=html,
        safe=True,
        to=_boxes(quote.to),
        cc=_boxes(quote.cc),
        subject=quote.subject,
        forwarded=forwarded,
    )


def _boxes(people: list[Person]) -> tuple[Mailbox, ...]:
    return tuple(Mailbox(p.email, p.name) for p in people)
