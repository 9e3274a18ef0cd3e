"""Where tickets lie, in the browser: put aside and back, a mail split off, spam, blocked senders."""

from __future__ import annotations

import secrets

import pytest
from playwright.sync_api import Browser, Page, expect
from support.waiting import wait_until

from browser.standing_stack import StandingStack

pytestmark = pytest.mark.timeout(240)


def _lies(page: Page, view: str, tag: str, *, there: bool = True) -> None:
    """The list has the ticket, or has it not."""
    page.goto(f"/tickets?view={view}")
    row = page.locator(".ticket-row", has_text=tag)
    expect(row.first).to_be_visible() if there else expect(row).to_have_count(0)


def test_aside_and_back_split_spam_and_blocked(site: StandingStack, browser: Browser) -> None:
    tag = secrets.token_hex(3)
    sender = f"Kim <kim-{tag}@customer-{tag}.example>"
    site.write(f"Shelf {tag}", "The first", to="support@acme.example", sender=sender)
    ticket = site.ticket(f"Shelf {tag}")
    page, troubles = site.desk(browser)
    here = f"/tickets/{ticket['id']}"

    # put aside: in its own list only, until somebody brings it back
    page.goto(here)
    page.locator("form[action$='/snooze'] button").click()
    expect(page.locator(".ticket-head")).to_contain_text("Until")
    _lies(page, "snoozed", tag)
    _lies(page, "open", tag, there=False)
    page.goto(here)
    page.click("text=Bring it back")
    expect(page.locator(".ticket-head")).not_to_contain_text("Until")
    _lies(page, "open", tag)

    # or until the customer writes
    page.goto(here)
    page.locator("form[action$='/snooze'] button").click()
    expect(page.locator(".ticket-head")).to_contain_text("Until")
    page.goto("/tickets")
    site.write(f"Re: Shelf {tag} [{ticket['number']}]", "The second", to="support@acme.example", sender=sender)
    expect(page.locator(".ticket-row", has_text=tag)).to_be_visible(timeout=40_000)

    # the second mail gets a ticket of its own, and is not in this one any more
    page.goto(here)
    second = page.locator(".message.in", has_text="The second")
    second.locator(".menu > summary").click()
    second.locator("text=Own ticket for it").click()
    own = wait_until(
        lambda: [t for t in site.tickets(q=tag) if t["id"] != ticket["id"]], what="the second mail's ticket"
    )
    page.wait_for_url(f"**/tickets/{own[0]['id']}")  # which is there a moment after it was asked for
    expect(page.locator(".message.in")).to_contain_text("The second")
    assert next(t["snippet"] for t in site.tickets(q=tag) if t["id"] == ticket["id"]) == "The first"
    page.goto(here)
    expect(page.locator(".event-line a")).to_have_attribute("href", f"/tickets/{own[0]['id']}")
    expect(page.locator(".message.in")).to_contain_text("The first")
    expect(page.locator(".conversation")).to_contain_text("A mail got a ticket of its own")

    # spam, and not spam
    page.locator("summary", has_text="More").last.click()
    # what the page hears meanwhile does not close what was opened
    site.api.patch(f"/tickets/{ticket['id']}", json={"tags": ["vip"]}).raise_for_status()
    expect(page.locator(".ticket-head .tag")).to_have_text("vip", timeout=15_000)
    page.locator("form[action$='/spam'] button").click()
    expect(page.locator(".ticket-head")).to_contain_text("Spam")
    _lies(page, "spam", ticket["number"])
    page.goto(here)
    page.locator("summary", has_text="More").last.click()
    page.click("text=Not spam")
    expect(page.locator(".ticket-head")).not_to_contain_text("Spam")
    _lies(page, "spam", ticket["number"], there=False)

    # blocked: what comes next lies under spam, unanswered; let in again, it is mail as any other
    page.goto(here)
    page.locator("summary", has_text="More").last.click()
    page.locator("form[action$='/block'] button[value=domain]").click()
    expect(page.locator(".notice.good")).to_contain_text(f"customer-{tag}.example is spam from now on")
    site.write(f"Junk {tag}", "Buy now", to="support@acme.example", sender=f"Sal <sal@customer-{tag}.example>")
    site.ticket(f"Junk {tag}", sender=f"sal@customer-{tag}.example")
    _lies(page, "spam", f"Junk {tag}")
    _lies(page, "open", f"Junk {tag}", there=False)
    page.goto("/blocked")
    page.locator("li", has_text=f"customer-{tag}.example").locator("text=Let in again").click()
    expect(page.locator(".notice.good")).to_contain_text("comes in as any other again")
    assert troubles.seen == []
