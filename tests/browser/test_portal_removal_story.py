"""Who operates the platform deletes a portal by keyboard, without an account, and sees when all of it is gone."""

from __future__ import annotations

import secrets
from pathlib import Path

from playwright.sync_api import Browser, expect

from browser.accessibility import findings
from browser.chromium import Troubles, new_context
from browser.standing_stack import StandingStack


def test_a_portal_is_deleted_by_keyboard(site: StandingStack, browser: Browser, tmp_path: Path) -> None:
    tag = secrets.token_hex(3)
    name = f"Zebra {tag}"
    made = site.call("POST", "/portals", 201, name=name, domains=[f"{tag}.example"])
    token = site.api.headers["Authorization"].removeprefix("Bearer ")
    context, troubles = new_context(browser, site.url), Troubles()
    page = context.new_page()
    troubles.watch(page, site.url)
    page.goto("/platform/delete-portal")
    assert findings(page) == []
    page.get_by_label("Name of the portal").focus()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    expect(page.get_by_label("The platform’s token")).to_be_focused()
    page.keyboard.type(made["api_token"])
    page.keyboard.press("Enter")
    expect(page.get_by_text("This is a portal’s own token.")).to_be_visible()
    expect(page.get_by_label("The platform’s token")).to_have_value("")
    expect(page.get_by_label("Name of the portal")).to_have_value(name)
    page.screenshot(path=tmp_path / "refused.png")
    assert findings(page) == []
    page.get_by_label("The platform’s token").focus()
    page.keyboard.type(token)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Delete the portal")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.get_by_text("nothing of the portal is left")).to_be_visible(timeout=30_000)
    page.screenshot(path=tmp_path / "done.png")
    assert findings(page) == []
    assert token not in page.content()
    assert troubles.seen + troubles.outside == []
    context.close()
