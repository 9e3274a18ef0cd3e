"""The console in the reader's language and time zone: by the browser at first, by the agent's own choice then."""

from __future__ import annotations

import re
import secrets

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.accessibility import findings
from browser.chromium import SIZES, Troubles
from browser.standing_stack import StandingStack

pytestmark = pytest.mark.timeout(240)


def _language(page: Page) -> str:
    return str(page.locator("html").get_attribute("lang"))


def test_the_browsers_language_and_zone_then_ones_own_choice(site: StandingStack, browser: Browser) -> None:
    tag = secrets.token_hex(3)
    queue = site.queue()
    lan = site.add_agent("Lan", queue_ids=[queue["id"]])
    site.write(f"Sprache {tag}", "Where is it?", to="support@acme.example")
    ticket = site.ticket(f"Sprache {tag}")
    context = browser.new_context(
        base_url=site.url, locale="vi-VN", timezone_id="Asia/Ho_Chi_Minh", viewport={"width": 1280, "height": 860}
    )
    troubles = Troubles()
    context.on("page", lambda page: troubles.watch(page, site.url))

    # before anybody is known: the browser's
    page = site.sign_in(context, lan.email, lan.password)
    assert _language(page) == "vi"
    page.goto("/tickets")
    expect(page.locator(".rail")).to_contain_text("Chưa giao")
    expect(page.locator(".zone")).to_contain_text(re.compile("Asia/(Saigon|Ho_Chi_Minh)"))  # browsers say the old name
    row = page.locator(".ticket-row", has_text=tag)
    expect(row.locator("time")).to_have_attribute("title", re.compile(r"\+07$"))

    # her own choice goes before it, and is hers on every machine
    page.goto("/account")
    page.select_option("#f-language", "de")
    page.locator("form[action='/account/language'] button").click()
    expect(page.locator(".notice.good")).to_contain_text("Gespeichert.")
    assert _language(page) == "de"
    again = browser.new_context(base_url=site.url, locale="en-GB", viewport={"width": 390, "height": 844})
    elsewhere = site.sign_in(again, lan.email, lan.password)
    assert _language(elsewhere) == "de"

    # scripts speak it too, and longer words do not push the page sideways
    for path in ("/tickets", f"/tickets/{ticket['id']}", "/queues", "/account"):
        elsewhere.goto(path)
        elsewhere.wait_for_load_state()
        width = elsewhere.evaluate("document.documentElement.scrollWidth")
        assert width <= SIZES["phone"][0], f"{path}: {width}"
        assert findings(elsewhere) == []
    page.goto(f"/tickets/{ticket['id']}")
    page.click("[data-write=note]")
    page.fill("#note-text", f"Guten Tag {tag}")
    expect(page.locator("[data-draft-state]:visible")).to_have_text("Entwurf aufgehoben", timeout=15_000)

    # what goes wrong is told in it
    page.goto("/account")
    page.fill("#f-current", "not the right one")
    page.fill("#f-password", "a long enough sentence")
    page.locator("form[action='/account/password'] button").click()
    expect(page.locator(".field-error")).to_have_text("Das jetzige Passwort ist falsch.")
    page.goto("/tickets/there-is-none")
    expect(page.locator("h1")).to_have_text("Hier ist nichts")
    assert troubles.seen == []
