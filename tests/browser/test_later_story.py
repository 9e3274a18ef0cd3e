"""Send later with formatted text and pasted pictures: held with all of it, taken back with all of it, sent with all of it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect
from support.waiting import wait_until

from browser.standing_stack import StandingStack
from browser.writing import arrived, came, editor, paste, picture, send, ticket_page

pytestmark = pytest.mark.timeout(240)


def has_all(mail: EmailMessage) -> None:
    """The mail has its bold word, and its picture within."""
    assert mail.get_content_type() == "multipart/alternative"
    plain, rich = mail.iter_parts()
    assert plain.get_content_type() == "text/plain"
    assert rich.get_content_type() == "multipart/related"
    html, shown = rich.iter_parts()
    assert "<strong>Tomorrow</strong>" in html.get_content()
    assert f"cid:{shown['Content-ID'].strip('<>')}" in html.get_content()
    assert (shown.get_content_disposition(), shown.get_content()) == ("inline", picture())


def in_mailbox(site: StandingStack, subject: str) -> bool:
    found = httpx.get(f"http://127.0.0.1:{site.ports['mailbox']}/messages", timeout=10).json()
    return any(subject in mail["subject"] for mail in (found if isinstance(found, list) else found["items"]))


def test_a_formatted_letter_is_held_taken_back_and_sent(
    site: StandingStack, shop: dict[str, Any], browser: Browser
) -> None:
    subject = f"Held {secrets.token_hex(3)}"
    _, page, troubles = ticket_page(site, shop, browser, subject)
    box = editor(page)
    box.click()
    page.keyboard.press("Control+b")
    page.keyboard.type("Tomorrow")
    page.keyboard.press("Control+b")
    page.keyboard.press("Enter")
    paste(page, "[data-pane=reply] .ProseMirror", data=picture())
    expect(box.locator("img[src^='/pictures/']")).to_be_visible()
    page.click("[data-pane=reply] summary:has-text('Send later')")
    page.fill("[data-pane=reply] [name=send_at_local]", f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%dT%H:%M}")
    send(page)
    held = page.locator(".message.out")
    expect(held.locator(".badge.warn")).to_have_text("Leaves at", timeout=15_000)
    held.locator("iframe").scroll_into_view_if_needed()
    frame = page.frame_locator(".message.out iframe")
    expect(frame.locator("strong")).to_have_text("Tomorrow", timeout=15_000)
    assert frame.locator("img").evaluate("(img) => img.complete && img.naturalWidth") == 40

    held.get_by_role("button", name="Take it back").click()
    expect(box.locator("strong")).to_have_text("Tomorrow", timeout=15_000)
    expect(box.locator("img[alt='shot.png']")).to_be_visible()
    expect(box).not_to_contain_text("Lamps Ltd")
    assert not in_mailbox(site, subject)
    send(page)
    expect(page.locator(".message.out .badge.good")).to_have_text("Sent", timeout=30_000)
    has_all(arrived(site, subject))
    assert not troubles.seen, troubles.seen


def test_by_the_api_it_leaves_at_its_time_or_not_at_all(site: StandingStack, shop: dict[str, Any]) -> None:
    subject = f"Later {secrets.token_hex(3)}"
    ticket = came(site, shop, subject)
    given = site.api.post("/attachments", files={"file": ("shot.png", picture(), "image/png")}).json()["items"][0]["id"]
    html = f'<p><strong>Tomorrow</strong><script>x()</script></p><img src="cid:{given}@pictures.mailroom">'
    when = datetime.now(UTC) + timedelta(seconds=4)
    held = site.call("POST", f"/tickets/{ticket['id']}/replies", 202, html=html, send_at=when.isoformat())
    shown = site.call("GET", f"/tickets/{ticket['id']}")["messages"][-1]
    assert (shown["id"], shown["delivery"]["state"]) == (held["message_id"], "queued")
    has_all(arrived(site, subject))
    assert datetime.now(UTC) >= when

    never = datetime.now(UTC) + timedelta(days=1)
    site.call(
        "POST", f"/tickets/{ticket['id']}/replies", 202, html=html, send_at=never.isoformat(), cancel_on_mail=True
    )
    site.forwarded(f"Re: {subject}", "No need any more.", {"To": shop["email"], "X-Forwarded-To": shop["email"],
                   "In-Reply-To": str(arrived(site, subject)["Message-ID"])}, "Kim <kim@customer.example>")  # fmt: skip
    found = site.ticket(subject, 4)
    assert found["id"] == ticket["id"]
    taken = next(m["id"] for m in found["messages"] if m["direction"] == "out" and m["id"] != held["message_id"])

    def cancelled() -> bool:
        messages = site.call("GET", f"/tickets/{ticket['id']}")["messages"]
        return any(m["id"] == taken and m["delivery"]["state"] == "cancelled" for m in messages)

    wait_until(cancelled, 20, every=0.2, what="the held letter being called off by the customer's mail")
