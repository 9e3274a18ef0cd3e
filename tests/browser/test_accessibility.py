"""Every page at desktop and phone width, light and dark: no serious finding of axe-core, no sideways scrolling, keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from browser.accessibility import findings
from browser.chromium import SIZES, new_context
from browser.places import furnish, places
from browser.standing_stack import StandingStack

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def ids(site: StandingStack) -> dict[str, str]:
    return furnish(site)


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "light"), ("desktop", "dark")])
def test_no_serious_finding(site: StandingStack, browser: Browser, ids: dict[str, str], size: str, scheme: str) -> None:
    page, troubles = site.desk(browser, size=size, scheme=scheme)
    found: list[str] = []
    # colours are all that differs in the dark, and these pages have every piece
    dark = ("tickets", "ticket", "ticket-answered", "addresses", "address-smtp", "queues", "activity", "portal")
    for place in places(ids):
        if scheme == "dark" and place.name not in dark:
            continue
        page.goto(place.path)
        page.wait_for_load_state()
        found += [f"{place.path}: {line}" for line in findings(page)]
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > SIZES[size][0]:
            found.append(f"{place.path}: {width} px wide on a screen of {SIZES[size][0]}")
    page.context.close()
    outside = new_context(browser, site.url, size, scheme)
    door = outside.new_page()
    for path in ("/sign-in", "/first-start?token=none"):
        door.goto(path)
        found += [f"{path}: {line}" for line in findings(door)]
    outside.close()
    assert found == [], "\n".join(found)
    assert troubles.seen == []


def test_keyboard_alone(site: StandingStack, browser: Browser, ids: dict[str, str]) -> None:
    page, _ = site.desk(browser)
    page.goto("/tickets")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("parcel")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=parcel*")
    page.locator(".ticket-row").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/tickets/*")
    page.goto(f"/tickets/{ids['ticket']}?write=note#composer")
    page.locator("#note-text").focus()
    page.keyboard.type("By keyboard alone")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".message.note", has_text="By keyboard alone").first).to_be_visible()


def test_problems_are_said_where_they_are(site: StandingStack, browser: Browser) -> None:
    page, _ = site.desk(browser)
    page.goto("/addresses/add/internal")
    page.fill("#f-local_part", "support")
    page.select_option("#f-queue_id", label="Support")
    page.click("button:has-text('Add address')")
    field = page.locator("#f-local_part")
    assert field.get_attribute("aria-invalid") == "true"
    described = field.get_attribute("aria-describedby") or ""
    expect(page.locator(f"#{described.split()[0]}")).to_contain_text("there already")
