"""Answering in the browser: whom it goes to is seen and kept to, somebody who wrote meanwhile is looked at first, and what
agents need beside: undo, forward, new message, tags, merge, lists. Keyboard, phone and axe with them."""

from __future__ import annotations

import re
import secrets
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from support.waiting import wait_until

from browser.accessibility import findings
from browser.standing_stack import StandingStack

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def shop(site: StandingStack) -> dict[str, Any]:
    """A queue with an SMTP address, whose mail arrives by forwarding."""
    tag = secrets.token_hex(3)
    queue = site.add_queue(f"Answers {tag}", [])
    inbox = next(a for a in site.call("GET", "/addresses")["items"] if a["email"] == "support@acme.example")
    address = site.add_smtp(f"answers-{tag}@lamps.example", queue["id"], inbox["id"])
    return {"queue": queue, "email": address["email"], "id": address["id"], "tag": tag}


def came(site: StandingStack, shop: dict[str, Any], subject: str, sender: str = "Kim <kim@customer.example>",
         messages: int = 1, **headers: str) -> dict[str, Any]:  # fmt: skip
    """A mail to the shop, and its ticket."""
    site.forwarded(
        subject, f"About {subject}", {"To": shop["email"], "X-Forwarded-To": shop["email"], **headers}, sender
    )
    return site.ticket(subject.removeprefix("Re: "), messages)


def boxes(page: Page, name: str = "to") -> list[str]:
    value = page.locator(f'[data-pane="reply"] input[name="{name}"]').input_value()
    return re.findall(r"[^\s<>,]+@[^\s<>,]+", value)


def letters(site: StandingStack, subject: str) -> list[dict[str, Any]]:
    found = httpx.get(f"http://127.0.0.1:{site.ports['mailbox']}/messages", timeout=10).json()
    items = found if isinstance(found, list) else found["items"]
    return [mail for mail in items if subject in mail["subject"]]


def test_what_is_shown_is_what_is_sent_and_can_be_taken_back(
    site: StandingStack, shop: dict[str, Any], browser: Browser
) -> None:
    subject = f"Chips {secrets.token_hex(3)}"
    ticket = came(site, shop, subject, **{"Reply-To": "kim@customer.example, team@customer.example",
                                          "Cc": "boss@customer.example"})  # fmt: skip
    page, troubles = site.desk(browser)
    page.goto(f"/tickets/{ticket['id']}")
    assert boxes(page) == ["kim@customer.example", "team@customer.example"]
    page.click("[data-write][data-all]")
    assert boxes(page, "cc") == ["boss@customer.example"]
    page.click("[data-write='reply']:not([data-all])")
    assert boxes(page, "cc") == []

    # somebody new is said before sending, and taken out by the keyboard
    entry = page.locator('[data-pane="reply"] .chip-entry').first
    entry.fill("new@elsewhere.example")
    entry.press("Enter")
    expect(page.locator('[data-pane="reply"] [data-cautions]')).to_contain_text("new@elsewhere.example")
    entry.press("Backspace")
    expect(page.locator('[data-pane="reply"] [data-cautions]')).not_to_contain_text("new@elsewhere.example")

    # undo: held by the order, not by the browser
    site.call("PATCH", "/portals/current", undo_send_s=20)
    page.fill("#reply-text", "To be taken back.")
    page.locator("#reply-text").press("Control+Enter")
    page.click("button:has-text('Undo')")
    expect(page.locator("[data-pane=reply] textarea")).to_have_value("To be taken back.")
    page.fill("#reply-text", "As it was meant.")
    site.call("PATCH", "/portals/current", undo_send_s=0)
    page.click("[data-pane='reply'] button:has-text('Send')")
    expect(page.locator(".message.out .badge.good").last).to_have_text("Sent", timeout=20_000)
    (mail,) = letters(site, subject)
    assert set(re.findall(r"[\w.-]+@[\w.-]+", str(mail["to"]))) >= {
        "kim@customer.example",
        "team@customer.example",
    }
    assert "boss@customer.example" not in str(mail["headers"])
    assert "As it was meant." in mail["text"]
    assert findings(page) == []
    assert not troubles.seen, troubles.seen


def test_who_wrote_unseen_is_looked_at_first(site: StandingStack, shop: dict[str, Any], browser: Browser) -> None:
    subject = f"Meanwhile {secrets.token_hex(3)}"
    ticket = came(site, shop, subject)
    page, _ = site.desk(browser)
    page.goto(f"/tickets/{ticket['id']}")
    seen = page.locator('input[name="seen_id"]').input_value()
    answer = site.api.post(f"/tickets/{ticket['id']}/replies", json={"text": "first"})
    assert answer.status_code == 202
    assert [p["email"] for p in answer.json()["to"]] == ["kim@customer.example"]
    page.fill("#reply-text", "Written over it.")
    page.evaluate("(id) => { document.querySelector('input[name=seen_id]').value = id; }", seen)
    page.click("[data-pane='reply'] button:has-text('Send')")
    expect(page.locator(".composer .notice.bad")).to_contain_text("meanwhile")
    expect(page.locator("[data-pane=reply] textarea")).to_have_value("Written over it.")
    page.click("[data-pane='reply'] button:has-text('Send')")
    expect(page.locator(".message.out")).to_have_count(2, timeout=15_000)


def test_agents_see_each_other(site: StandingStack, shop: dict[str, Any], browser: Browser) -> None:
    ticket = came(site, shop, f"Together {secrets.token_hex(3)}")
    other = site.add_agent("Bea Brown", "administrator")
    first, _ = site.desk(browser)
    second, _ = site.desk(browser, other)
    first.goto(f"/tickets/{ticket['id']}")
    second.goto(f"/tickets/{ticket['id']}")
    expect(first.locator(".here")).to_contain_text("Bea Brown is reading", timeout=15_000)
    second.fill("#reply-text", "I am")
    expect(first.locator(".here")).to_contain_text("Bea Brown is writing", timeout=15_000)


def test_forward_and_its_answer(site: StandingStack, shop: dict[str, Any], browser: Browser) -> None:
    subject = f"Lab {secrets.token_hex(3)}"
    ticket = came(site, shop, subject)
    page, _ = site.desk(browser)
    page.goto(f"/tickets/{ticket['id']}?write=forward")
    page.locator("[data-pane='forward'] .chip-entry").first.fill("lab@partner.example")
    page.fill("#forward-text", "What is this?")
    page.click("[data-pane='forward'] button:has-text('Forward')")
    expect(page.locator(".message.out .badge").first).to_contain_text("Forwarded")
    mail = site.mailbox(f"Fwd: {subject}", "lab@partner.example")
    assert f"About {subject}" in mail["text"]
    own = next(v for k, v in _headers(mail) if k.lower() == "message-id")
    site.forwarded(f"Re: Fwd: {subject}", "A lamp.", {"To": shop["email"], "X-Forwarded-To": shop["email"],
                   "In-Reply-To": own}, "Lab <lab@partner.example>")  # fmt: skip
    expect(page.locator(".message.in .badge").last).to_contain_text("internal", timeout=15_000)
    page.reload()
    assert boxes(page) == ["kim@customer.example"]


def _headers(mail: dict[str, Any]) -> list[tuple[str, str]]:
    headers = mail["headers"]
    return list(headers.items()) if isinstance(headers, dict) else [tuple(h) for h in headers]


def test_an_agent_writes_first(site: StandingStack, shop: dict[str, Any], browser: Browser) -> None:
    subject = f"Delivery {secrets.token_hex(3)}"
    page, troubles = site.desk(browser)
    page.goto("/tickets")
    page.click("a:has-text('New message')")
    page.select_option("#from", shop["id"])
    page.locator(".chip-entry").first.fill("dora@customer.example")
    page.fill("#subject", subject)
    page.fill("#text", "It comes on Friday.")
    assert findings(page) == []
    page.click("button:has-text('Send')")
    expect(page.locator("h1")).to_have_text(subject, timeout=15_000)
    mail = site.mailbox(subject, "dora@customer.example")
    own = next(v for k, v in _headers(mail) if k.lower() == "message-id")
    site.forwarded(f"Re: {subject}", "Thanks!", {"To": shop["email"], "X-Forwarded-To": shop["email"], "In-Reply-To": own},
                   "Dora <dora@customer.example>")  # fmt: skip
    expect(page.locator(".message.in")).to_contain_text("Thanks!", timeout=15_000)
    assert not troubles.seen, troubles.seen


def test_tags_merge_and_its_undo(site: StandingStack, shop: dict[str, Any], browser: Browser) -> None:
    tag = secrets.token_hex(3)
    one = came(site, shop, f"First {tag}")
    two = came(site, shop, f"Second {tag}")
    page, _ = site.desk(browser)
    page.goto(f"/tickets/{one['id']}")
    page.fill("#tags", f"lamp-{tag}, vip")
    page.locator("#tags").press("Enter")
    expect(page.locator(".ticket-head .badge.tag").first).to_have_text(f"lamp-{tag}")
    assert [t["id"] for t in site.tickets(tag=f"LAMP-{tag}")] == [one["id"]]
    expect(page.locator(".others")).to_contain_text(f"Second {tag}")

    page.goto(f"/tickets/{two['id']}")
    page.click("summary:has-text('More')")
    page.fill("#merge", one["number"])
    page.locator("#merge").press("Enter")
    page.wait_for_url(f"**/tickets/{one['id']}")
    expect(page.locator(".message.in")).to_have_count(2)
    page.click("button:has-text('Undo')")
    page.wait_for_url(f"**/tickets/{two['id']}")
    page.goto(f"/tickets/{one['id']}")
    expect(page.locator(".message.in")).to_have_count(1)


def test_many_at_once_and_the_list_as_a_file(site: StandingStack, shop: dict[str, Any], browser: Browser) -> None:
    tag = secrets.token_hex(3)
    for n in range(2):
        came(site, shop, f"Many {tag} {n}", f"Mia <mia-{tag}@customer.example>")
    page, _ = site.desk(browser)
    page.goto(f"/tickets?customer=mia-{tag}@customer.example")
    expect(page.locator(".ticket-list > li")).to_have_count(2)
    csv = page.request.get(page.locator("a:has-text('CSV')").get_attribute("href") or "").text()
    assert csv.count(f"mia-{tag}@customer.example") == 2
    page.locator("[data-tick]").first.check()
    page.check("[data-tick-all]")
    page.select_option("#do", "close")
    page.click("button:has-text('Do it')")
    expect(page.locator(".notice.good")).to_contain_text("2 tickets changed.")

    def closed() -> bool:
        return len(site.tickets(status="closed", customer=f"mia-{tag}@customer.example")) == 2

    wait_until(closed, 10, what="two closed tickets")


def test_a_ticket_fits_a_phone(site: StandingStack, shop: dict[str, Any], browser: Browser) -> None:
    ticket = came(site, shop, f"Phone {secrets.token_hex(3)}")
    page, _ = site.desk(browser, size="phone")
    for path in (f"/tickets/{ticket['id']}", "/tickets/new", "/tickets?tag=x", "/canned", "/blocked"):
        page.goto(path)
        width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1], f"{path} is wider than the phone"
        assert findings(page) == []
