"""The story of an Outlook address in the browser: add it by signing in, receive, answer, consent withdrawn, sign in again."""

from __future__ import annotations

import secrets

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.chromium import new_context
from browser.standing_stack import StandingStack

pytestmark = pytest.mark.timeout(300)
EMAIL = "help@lamps.example"


def _consent(page: Page) -> None:
    """What a person does at Microsoft: pick the account."""
    page.wait_for_url("**/oauth2/v2.0/authorize*")
    page.locator(f"text={EMAIL}").first.click()


def test_add_by_signing_in_receive_answer_withdraw_sign_in_again(site: StandingStack, browser: Browser) -> None:
    tag = secrets.token_hex(3)
    queue = site.add_queue(f"Outlook {tag}", [])
    front, exchange = site.microsoft.front, site.exchange
    # the provider's page has a certificate of the test's own authority
    page = site.sign_in(new_context(browser, site.url, "desktop", "light", ignore_https_errors=True))

    # the address tells its provider, and the button comes to the fore
    page.goto("/addresses/add/smtp")
    page.fill("#f-email", "somebody@outlook.com")
    page.locator("#f-email").blur()
    expect(page.locator("[data-found]")).to_contain_text("outlook.com is Microsoft’s")
    expect(page.locator("#f-host")).to_have_value("smtp-mail.outlook.com")
    expect(page.locator("[data-sign-in=microsoft]")).to_have_class("button primary")
    expect(page.locator("[data-sign-in=okta]")).to_be_hidden()

    # denied at Microsoft: told in words, nothing saved, what was typed is still there
    page.reload()
    page.fill("#f-email", EMAIL)
    page.fill("#f-full_name", f"Lamps {tag}")
    page.fill("#f-host", "localhost")
    page.fill("#f-port", str(exchange.port))
    page.select_option("#f-tls", "starttls")
    page.select_option("#f-forwards_to", label="support@acme.example")
    page.select_option("#f-queue_id", label=queue["name"])
    front.deny = "AADSTS90094: Admin consent is required."
    page.click("[data-sign-in=microsoft]")
    expect(page.locator(".notice.bad")).to_contain_text("grant consent", timeout=30_000)
    expect(page.locator("#f-full_name")).to_have_value(f"Lamps {tag}")
    expect(page.locator("#f-host")).to_have_value("localhost")
    front.deny = ""

    # signed in: saved, with the login tried
    page.click("[data-sign-in=microsoft]")
    _consent(page)
    expect(page.locator("h1")).to_have_text(EMAIL, timeout=40_000)
    expect(page.locator(".notice.good")).to_contain_text(f"Signed in as {EMAIL}")
    expect(page.locator("[data-live=state]")).to_contain_text("Active")
    address_page = page.url.partition("?")[0]

    # a mail forwarded to the internal address is its own, and the answer leaves through its server
    customer = f"kim-{tag}@c.example"
    headers = {"To": EMAIL, "X-Forwarded-To": "support@acme.example"}
    site.forwarded(f"Lamp {tag}", "In green?", headers, f"Kim <{customer}>")
    ticket = site.ticket(f"Lamp {tag}")
    assert ticket["queue_id"] == queue["id"]
    page.goto(f"/tickets/{ticket['id']}")
    page.fill("#reply-text", f"In green too {tag}")
    page.click("[data-send]")
    expect(page.locator(".message.out")).to_contain_text("Sent", timeout=60_000)
    assert any(tag.encode() in raw for raw in exchange.mailbox(customer))

    # consent is withdrawn: what must be done is told, and signing in again sends what waited
    front.revoked.add(EMAIL)
    front.end_tokens()
    page.goto(address_page)
    page.fill("#f-full_name", f"Lamps and more {tag}")
    page.click("button:has-text('Save')")  # another session signs in anew
    page.goto(f"/tickets/{ticket['id']}")
    page.fill("#reply-text", f"And in blue {tag}")
    page.click("[data-send]")
    page.goto(address_page)
    expect(page.locator("[data-live=state]")).to_contain_text("Needs attention", timeout=60_000)
    expect(page.locator("[data-live=state]")).to_contain_text("Consent is missing or was withdrawn")
    front.revoked.clear()
    page.click("button:has-text('Sign in again')")
    _consent(page)
    expect(page.locator(".notice.good")).to_contain_text(f"Signed in as {EMAIL}", timeout=40_000)
    expect(page.locator("[data-live=state]")).to_contain_text("Active")
    page.goto(f"/tickets/{ticket['id']}")
    expect(page.locator(".message.out").last).to_contain_text("Sent", timeout=60_000)

    # disconnected: told what follows, and signed out
    page.goto(address_page)
    page.click("text=Disconnect…")
    expect(page.locator(".consequences")).to_contain_text("two weeks")
    page.click("button:has-text('Disconnect')")
    expect(page.locator("[data-live=state]")).to_contain_text("sign in again", timeout=30_000)
