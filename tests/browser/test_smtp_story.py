"""The story of an SMTP address in the browser: wrong password, forwarding, reply, failure, resend, needs attention."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.standing_stack import StandingStack

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(autouse=True)
def friendly_again(site: StandingStack) -> Iterator[None]:
    yield
    site.provider("accept")


def _fill(page: Page, site: StandingStack, email: str, internal: str, queue: str, password: str) -> None:
    page.fill("#f-email", email)
    page.fill("#f-full_name", "Lamps and More")
    page.fill("#f-host", "127.0.0.1")
    page.fill("#f-port", str(site.ports["mailbox_smtp"]))
    page.select_option("#f-tls", "none")
    page.fill("#f-password", password)
    page.select_option("#f-forwards_to", label=internal)
    page.select_option("#f-queue_id", label=queue)


def test_add_with_wrong_then_right_password_receive_reply_resend(
    site: StandingStack, browser: Browser, tmp_path: Path
) -> None:
    tag = secrets.token_hex(3)
    queue = site.add_queue(f"Shop {tag}", [])
    email = f"shop-{tag}@lamps.example"
    page, troubles = site.desk(browser)

    # a preset fills host and port
    page.goto("/addresses/add/smtp")
    page.fill("#f-email", "somebody@gmx.de")
    page.locator("#f-email").blur()
    expect(page.locator("#f-host")).to_have_value("mail.gmx.net")

    # wrong password: told in words, nothing saved, the password not on the page
    site.provider("login")
    _fill(page, site, email, "support@acme.example", queue["name"], f"wrong-{tag}")
    page.click("button:has-text('Try this login')")
    expect(page.locator("[data-smtp-result] .notice.bad")).to_contain_text("refused the login", timeout=40_000)
    page.click("button:has-text('Add address')")
    expect(page.locator("h1")).to_have_text("Add an SMTP account")
    expect(page.locator(".notice.bad")).to_contain_text("refused the login")
    expect(page.locator("#f-host")).to_have_value("127.0.0.1")
    assert f"wrong-{tag}" not in page.content()
    assert site.api.get("/addresses", params={"limit": 200}).text.count(email) == 0

    # the right one
    site.provider("accept")
    page.fill("#f-password", "right")
    page.click("button:has-text('Try this login')")
    expect(page.locator("[data-smtp-result] .notice.good")).to_contain_text("accepts this login", timeout=40_000)
    page.click("button:has-text('Add address')")
    expect(page.locator("h1")).to_have_text(email, timeout=40_000)
    expect(page.locator(".copy").first).to_contain_text("support@acme.example")
    # a mail forwarded to the internal address is the SMTP address's
    sender = f"Kim <kim-{tag}@customer.example>"
    site.forwarded(f"Green lamp {tag}", "In green?", {"To": email, "X-Forwarded-To": "support@acme.example"}, sender)
    ticket = site.ticket(f"Green lamp {tag}")
    assert ticket["queue_id"] == queue["id"]
    page.goto(f"/tickets/{ticket['id']}")
    expect(page.locator("#from")).to_contain_text(email)

    # a draft is kept over a reload; files by choosing; then it leaves through the account
    page.fill("#reply-text", "Yes, in two weeks.")
    expect(page.locator("[data-pane=reply] [data-draft-state]")).to_have_text("Draft kept")
    page.reload()
    expect(page.locator("[data-pane=reply] textarea")).to_have_value("Yes, in two weeks.")
    file = tmp_path / "price list.txt"
    file.write_text("1 lamp: 20")
    page.set_input_files("#files", file)
    expect(page.locator(".file-chip")).to_contain_text("price list.txt")
    page.click("text=Cc, Bcc")
    page.fill("#cc", f"Boss <boss-{tag}@customer.example>")
    site.provider("refuse", f"kim-{tag}@customer.example")
    page.click("[data-send]")
    message = page.locator(".message.out", has_text="Yes, in two weeks.")
    expect(message).to_be_visible(timeout=15_000)
    expect(page.locator("[data-pane=reply] textarea")).to_have_value("")
    expect(message).to_contain_text("No such user here", timeout=40_000)
    expect(message.locator(".attachment")).to_contain_text("price list.txt")

    # it shows among the failed, and can be sent again
    page.goto(f"/tickets?view=failed&queue={queue['id']}")
    expect(page.locator(".ticket-row", has_text=f"Green lamp {tag}")).to_be_visible(timeout=15_000)
    site.provider("accept")
    page.goto(f"/tickets/{ticket['id']}")
    page.click("button:has-text('Send again')")
    expect(page.locator(".message.out", has_text="Yes, in two weeks.")).to_contain_text("Sent", timeout=40_000)
    arrived = site.mailbox(f"Green lamp {tag}")
    assert arrived["from"].find(email) >= 0
    assert f"boss-{tag}@customer.example" in str(arrived)

    assert troubles.seen == []


def test_a_password_that_went_wrong_is_shown_and_mended(site: StandingStack, browser: Browser) -> None:
    tag = secrets.token_hex(3)
    email = f"sad-{tag}@lamps.example"
    internal = next(a for a in site.call("GET", "/addresses")["items"] if a["email"] == "support@acme.example")
    address = site.add_smtp(email, site.queue()["id"], internal["id"])
    site.forwarded(f"Red lamp {tag}", "In red?", {"To": email, "X-Forwarded-To": internal["email"]},
                   f"Kim <kim-{tag}@customer.example>")  # fmt: skip
    ticket = site.ticket(f"Red lamp {tag}")
    page, troubles = site.desk(browser)
    watching, _ = site.desk(browser)
    watching.goto(f"/addresses/{address['id']}")
    expect(watching.locator("[data-live=state]")).to_contain_text("Active")

    site.provider("login")
    page.goto(f"/tickets/{ticket['id']}")
    page.fill("#reply-text", f"One more thing {tag}.")
    page.click("[data-send]")
    expect(page.locator(".message.out", has_text="One more thing")).to_be_visible(timeout=15_000)
    expect(watching.locator("[data-live=state]")).to_contain_text("Needs attention", timeout=60_000)
    expect(watching.locator("[data-live=state]")).to_contain_text("since")
    page.goto("/addresses")
    expect(page.locator("tr", has_text=email)).to_contain_text("Needs attention")
    page.goto("/activity/outbound")
    expect(page.locator("tr", has_text=f"Red lamp {tag}")).to_contain_text("Waits for its address", timeout=30_000)

    # a new password mends it, and what waited goes out
    site.provider("accept")
    page.goto(f"/addresses/{address['id']}")
    page.fill("#f-password", "mended")
    page.click("button:has-text('Save')")
    expect(page.locator(".notice.good")).to_contain_text("Saved", timeout=40_000)
    page.goto(f"/tickets/{ticket['id']}")
    expect(page.locator(".message.out", has_text="One more thing")).to_contain_text("Sent", timeout=60_000)
    expect(watching.locator("[data-live=state]")).to_contain_text("Active", timeout=60_000)
    assert troubles.seen == []


def test_forwarding_is_checked_before_ones_eyes(site: StandingStack, browser: Browser) -> None:
    tag = secrets.token_hex(3)
    internal = site.add_internal(f"in-{tag}")
    address = site.add_smtp(f"fwd-{tag}@lamps.example", site.queue()["id"], internal["id"])
    page, _ = site.desk(browser)
    page.goto(f"/addresses/{address['id']}")
    expect(page.locator("[data-live=forwarding]")).to_contain_text("Not checked yet")
    page.click("button:has-text('Check forwarding')")
    expect(page.locator("[data-live=forwarding]")).to_contain_text("waiting for the mail to come back")
    probe = site.mailbox("Mailroom checks your forwarding", address["email"])
    site.send(site.letter(probe["id"]), "fwd@lamps.example", internal["email"])
    expect(page.locator("[data-live=forwarding]")).to_contain_text("Works", timeout=40_000)


def test_reply_from_another_address_of_the_queue(site: StandingStack, browser: Browser) -> None:
    tag = secrets.token_hex(3)
    queue = site.add_queue(f"Both {tag}", [])
    internal = site.add_internal(f"b-{tag}", queue_id=queue["id"])
    able = site.add_smtp(f"able-{tag}@lamps.example", queue["id"], internal["id"])
    site.write(f"Question {tag}", to=internal["email"], sender=f"Lee <lee-{tag}@customer.example>")
    ticket = site.ticket(f"Question {tag}")
    page, _ = site.desk(browser)
    page.goto(f"/tickets/{ticket['id']}")
    expect(page.locator("[data-pane=reply]")).to_contain_text("only receives")
    page.click(f".chip:has-text('{able['email']}')")
    page.fill("#reply-text", f"Answered from elsewhere {tag}")
    page.click("[data-send]")
    expect(page.locator(".message.out", has_text=f"Answered from elsewhere {tag}")).to_contain_text(
        "Sent", timeout=40_000
    )
    assert able["email"] in site.mailbox(f"Question {tag}")["from"]
