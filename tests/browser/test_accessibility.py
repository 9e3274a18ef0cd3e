"""Every page at desktop and phone width, light and dark: no serious finding of axe-core, no sideways scrolling, keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.accessibility import COLOURS, findings
from browser.chromium import SIZES, new_context
from browser.places import furnish, places
from browser.standing_stack import StandingStack

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def ids(site: StandingStack) -> dict[str, str]:
    return furnish(site)


# colours are all that differs in the dark, and these pages have every piece
DARK = ("tickets", "ticket", "ticket-answered", "addresses", "address-smtp", "queues", "activity", "portal")


def _seen(page: Page, path: str, *, dark: bool) -> list[str]:
    """What is wrong with the page that is open: on a desk, on a phone, and by night. Opened once: a start costs most."""
    found = []
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        found += [f"{path} ({size}): {line}" for line in findings(page)]
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            found.append(f"{path}: {wide} px wide on a screen of {width}")
    if dark:
        page.set_viewport_size(dict(zip(("width", "height"), SIZES["desktop"], strict=True)))  # type: ignore[arg-type]
        page.emulate_media(color_scheme="dark")
        found += [f"{path} (dark): {line}" for line in findings(page, COLOURS)]
        page.emulate_media(color_scheme="light")
    return found


@pytest.mark.timeout(480)  # all pages, three ways each
def test_no_serious_finding(site: StandingStack, browser: Browser, ids: dict[str, str]) -> None:
    page, troubles = site.desk(browser)
    found: list[str] = []
    for place in places(ids):
        page.goto(place.path)
        page.wait_for_load_state()
        found += _seen(page, place.path, dark=place.name in DARK)
    page.context.close()
    outside = new_context(browser, site.url)
    door = outside.new_page()
    for path in ("/sign-in", "/first-start?token=none"):
        door.goto(path)
        found += _seen(door, path, dark=True)
    outside.close()
    assert found == [], "\n".join(found)
    assert troubles.seen == []


def test_a_phone_opens_each_page_as_wide_as_it_is(site: StandingStack, browser: Browser, ids: dict[str, str]) -> None:
    """With fingers, and that narrow from the start."""
    page, troubles = site.desk(browser, size="phone")
    found = []
    for place in places(ids):
        page.goto(place.path, wait_until="domcontentloaded")
        if (wide := page.evaluate("document.documentElement.scrollWidth")) > SIZES["phone"][0]:
            found.append(f"{place.path}: {wide} px")
    assert found == []
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
