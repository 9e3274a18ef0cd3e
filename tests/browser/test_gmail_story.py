"""The story of a Gmail address in the browser, with Google's consent page: connect, configure, receive, reply, reconnect."""

from __future__ import annotations

import secrets

import pytest
from playwright.sync_api import Browser, Page, expect
from support.gmail_emulator import mail

from browser.standing_stack import StandingStack

pytestmark = pytest.mark.timeout(300)
EMAIL = "help.desk@gmail.example"
OTHER = "somebody.else@gmail.example"


def _consent(page: Page, email: str) -> None:
    """What a person does at Google: pick the account."""
    page.wait_for_url("**/o/oauth2/v2/auth*")
    page.locator(f"text={email}").first.click()


def test_connect_configure_receive_reply_reconnect(site: StandingStack, browser: Browser) -> None:
    tag = secrets.token_hex(3)
    queue = site.add_queue(f"Gmail {tag}", [])
    page, _ = site.desk(browser)

    # what is asked and why, then Google's page, then back: connected, not configured yet
    page.goto("/addresses/add")
    page.click(".choice:has-text('Gmail')")
    expect(page.locator("main")).to_contain_text("Read mail and its labels")
    page.click("button:has-text('Continue to Google')")
    _consent(page, EMAIL)
    expect(page.locator("h1")).to_have_text(EMAIL, timeout=30_000)
    expect(page.locator(".notice.good")).to_contain_text("Connected with Google")
    address_page = page.url.partition("?")[0]
    page.goto("/addresses")
    expect(page.locator("tr", has_text=EMAIL)).to_contain_text("Connected, not configured yet")
    page.click(f"tr:has-text('{EMAIL}') >> text=Update")
    page.select_option("#f-queue_id", queue["id"])
    page.check("[name=active]")
    page.click("button:has-text('Save')")
    expect(page.locator(".notice.good")).to_contain_text("Saved")
    expect(page.locator("[data-live=state]")).to_contain_text("Active", timeout=30_000)

    # mail in the inbox becomes a ticket; the reply goes into the same thread
    google = site.google.emulator
    first = google.deliver(
        EMAIL, mail(f"g{tag}", f"kim-{tag}@customer.example", EMAIL, subject=f"Gmail question {tag}")
    )
    ticket = site.ticket(f"Gmail question {tag}", timeout=60)
    assert ticket["queue_id"] == queue["id"]
    page.goto(f"/tickets/{ticket['id']}")
    expect(page.locator("#from")).to_contain_text(EMAIL)
    page.fill("#reply-text", f"Answered through Gmail {tag}")
    page.click("[data-send]")
    expect(page.locator(".message.out")).to_contain_text("Sent", timeout=60_000)
    sent = google.messages(EMAIL, "SENT")
    assert [m["threadId"] for m in sent if tag.encode() in m["source"]] == [first["threadId"]]

    # the access is taken away at Google: since when and why; another account is refused; reconnecting mends it in place
    site.google.revoke(EMAIL)
    page.goto(address_page)
    expect(page.locator("[data-live=state]")).to_contain_text("since", timeout=60_000)
    page.click("button:has-text('Reconnect'), button:has-text('Connect again')")
    _consent(page, OTHER)
    expect(page.locator(".notice.bad")).to_contain_text("not connected", timeout=30_000)
    page.goto(address_page)
    page.click("button:has-text('Reconnect'), button:has-text('Connect again')")
    _consent(page, EMAIL)
    expect(page.locator(".notice.good")).to_contain_text("Connected with Google", timeout=30_000)
    expect(page.locator("[data-live=state]")).to_contain_text("Active", timeout=60_000)
    google.deliver(EMAIL, mail(f"h{tag}", f"lee-{tag}@customer.example", EMAIL, subject=f"After reconnecting {tag}"))
    site.ticket(f"After reconnecting {tag}", timeout=60)

    # disconnecting tells what follows, and takes the permission back
    page.goto(address_page)
    page.click("text=Disconnect…")
    expect(page.locator(".consequences")).to_contain_text("taken back at Google")
    page.click("button:has-text('Disconnect')")
    expect(page.locator("[data-live=state]")).to_contain_text("Needs reconnecting", timeout=30_000)
