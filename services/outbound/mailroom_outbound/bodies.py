"""Long bodies of orders lie in the blob store, so that lane records stay small."""

from __future__ import annotations

import json

from mailroom_contracts import OutboundMail, Quote
from mailroom_runtime.blobs.store import BlobStore

INLINE_CHARACTERS = 8_000


async def without_body(order: OutboundMail, blobs: BlobStore) -> OutboundMail:
    """The order, its text, HTML and quote moved into a blob when they are long. Raises `BlobsDown`."""
    quote = order.quote
    length = len(order.text) + len(order.html or "")
    for each in (*((quote,) if quote is not None else ()), *order.quotes):
        length += len(each.text) + len(each.html or "")
    if length <= INLINE_CHARACTERS or order.body_ref is not None:
        return order
    body = {
        "text": order.text,
        "html": order.html,
        "quote": quote.model_dump(mode="json", by_alias=True) if quote is not None else None,
        "quotes": [each.model_dump(mode="json", by_alias=True) for each in order.quotes],
    }
    key = f"{order.portal_id}/{order.ticket_id}/outbound/{order.id}.json"
    ref = await blobs.put(key, json.dumps(body, ensure_ascii=False).encode())
    return order.model_copy(update={"text": "", "html": None, "quote": None, "quotes": [], "body_ref": ref})


async def with_body(order: OutboundMail, blobs: BlobStore) -> OutboundMail:
    """The order as it was written. Raises `BlobsDown`, `BlobMissing`, ValueError for a damaged blob."""
    if order.body_ref is None:
        return order
    body = json.loads(await blobs.get(order.body_ref))
    quote = Quote.model_validate(body["quote"]) if body.get("quote") else None
    quotes = [Quote.model_validate(each) for each in body.get("quotes") or []]
    return order.model_copy(
        update={"text": body.get("text") or "", "html": body.get("html"), "quote": quote, "quotes": quotes}
    )


async def whole_quote(quote: Quote, blobs: BlobStore) -> Quote:
    """The quote with the texts that its references stand for. Raises `BlobsDown`, `BlobMissing`."""
    changes: dict[str, str] = {}
    if quote.text_ref is not None:
        changes["text"] = (await blobs.get(quote.text_ref)).decode("utf-8", "replace")
    if quote.html_ref is not None:
        changes["html"] = (await blobs.get(quote.html_ref)).decode("utf-8", "replace")
    return quote.model_copy(update=changes) if changes else quote
