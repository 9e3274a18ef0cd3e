"""An administrator looks what is known of a person, saves it, and has it forgotten."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from playwright.sync_api import Browser, expect
from support.waiting import wait_until

from browser.accessibility import findings
from browser.standing_stack import StandingStack


def test_a_person_is_looked_up_saved_and_forgotten(site: StandingStack, browser: Browser) -> None:
    tag = secrets.token_hex(3)
    email = f"jo-{tag}@customer.example"
    site.write(f"Gone {tag}", "Where is it?", to="support@acme.example", sender=email)
    site.ticket(f"Gone {tag}")
    page, troubles = site.desk(browser)
    page.goto("/portal")
    page.get_by_role("link", name="Forget a person").click()
    page.get_by_label("Address").fill(email.upper())
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_text("Tickets: 1, messages in them: ")).to_be_visible()
    assert findings(page) == []
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as a file").click()
    told = json.loads(Path(saved.value.path()).read_text())
    assert [ticket["customer"]["email"] for ticket in told["tickets"]] == [email]

    page.get_by_label("Type the address again").fill("kim@customer.example")
    page.get_by_role("button", name="Forget all of it").click()
    expect(page.get_by_text("That is another address. Nothing was done.")).to_be_visible()
    assert findings(page) == []
    page.get_by_label("Type the address again").fill(email)
    page.get_by_role("button", name="Forget all of it").click()
    expect(page.locator(".notice.good")).to_contain_text("It is being forgotten.")

    def forgotten() -> bool:
        page.goto("/forgetting")
        first = page.locator("tbody tr").first
        return "done" in first.inner_text() and "still there until" in first.inner_text()

    wait_until(forgotten, 30, every=0.5, what="the erasure being done")
    assert findings(page) == []
    assert site.tickets(customer=email) == []
    assert troubles.seen == []
