"""An answer that is sent while Kafka is away: the page says that it may have arrived, keeps text and files, and however often
it is sent again it goes out once."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from support.waiting import wait_until

from browser.standing_stack import StandingStack
from browser.writing import arrived, came, editor, ticket_page

pytestmark = pytest.mark.timeout(300)
PLAN = b"a plan, line by line\n"


@pytest.fixture
def shop(site: StandingStack) -> dict[str, Any]:
    tag = secrets.token_hex(3)
    queue = site.add_queue(f"Lost {tag}", [])
    inbox = next(a for a in site.call("GET", "/addresses")["items"] if a["email"] == "support@acme.example")
    return dict(site.add_smtp(f"lost-{tag}@lamps.example", queue["id"], inbox["id"]))


def _says_what_is_true(page: Page) -> None:
    """The form again, with what was written, and nothing that calls it undone."""
    expect(page.locator("body")).to_contain_text("what has arrived already is not done twice", timeout=60_000)
    assert "Nothing was done" not in page.inner_text("body")
    expect(page.locator("[data-pane=reply] textarea[name=text]")).to_have_value("See the plan.")
    expect(page.locator("[data-pane=reply] input[name=attached]")).to_be_checked()
    expect(page.locator("[data-pane=reply]")).to_contain_text("plan.txt")


def test_an_answer_sent_while_kafka_is_away_goes_out_once(
    site: StandingStack, shop: dict[str, Any], browser: Browser, tmp_path: Path
) -> None:
    subject = f"Lost answer {secrets.token_hex(3)}"
    ticket, page, _ = ticket_page(site, shop, browser, subject)
    editor(page).click()
    page.keyboard.type("See the plan.")
    (tmp_path / "plan.txt").write_bytes(PLAN)
    page.set_input_files("[data-pane=reply] input[name=files]", tmp_path / "plan.txt")
    with site.kafka_away():
        page.click("[data-pane=reply] [data-send]")
        _says_what_is_true(page)
        page.reload(timeout=60_000)  # sends the form again
        _says_what_is_true(page)
    page.click("[data-pane=reply] [data-send]")
    page.wait_for_url("**/tickets/*#message-*", timeout=60_000)
    expect(page.locator(".message.out .badge.good")).to_have_text("Sent", timeout=60_000)

    def sent() -> list[dict[str, Any]]:
        shown = site.call("GET", f"/tickets/{ticket['id']}")["messages"]
        return [message for message in shown if message["text"].startswith("See the plan.")]

    (message,) = sent()
    (file,) = message["attachments"]
    assert file["filename"] == "plan.txt"
    mail = arrived(site, subject)
    assert [part.get_content() for part in mail.iter_attachments()] == [PLAN.decode()]

    # what was on its way before comes before this: a second copy would be there by now
    after = came(site, shop, f"After {subject}")
    wait_until(lambda: site.ticket(f"After {subject}")["id"] == after["id"], 30)
    assert len(sent()) == 1
    letters = httpx.get(f"http://127.0.0.1:{site.ports['mailbox']}/messages", timeout=10).json()
    items = letters if isinstance(letters, list) else letters["items"]
    assert len([one for one in items if subject in one["subject"] and "See the plan." in one["text"]]) == 1
