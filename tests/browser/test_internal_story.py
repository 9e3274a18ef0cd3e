"""The story of an internal address, as people live it in the browser: add, receive, assign, refused reply, note, close."""

from __future__ import annotations

import secrets

import pytest
from playwright.sync_api import Browser, expect
from support.waiting import wait_until

from browser.standing_stack import StandingStack

pytestmark = pytest.mark.timeout(240)


def test_add_receive_assign_refuse_note_close(site: StandingStack, browser: Browser) -> None:
    tag = secrets.token_hex(3)
    ana = site.add_agent("Ana")
    queue = site.add_queue(f"Help {tag}", [ana.id])
    page, troubles = site.desk(browser)

    # add an address: the three kinds, then the form; an impossible name is told at its field
    page.goto("/addresses")
    page.click("text=Add email address")
    for kind in ("Internal address", "Gmail", "SMTP account"):
        expect(page.locator(".choice", has_text=kind).first).to_be_visible()
    page.click(".choice:has-text('Internal address')")
    page.fill("#f-local_part", "two words")
    page.select_option("#f-queue_id", queue["id"])
    page.click("button:has-text('Add address')")
    expect(page.locator("#e-local_part")).to_be_visible()
    page.fill("#f-local_part", f"help-{tag}")
    page.fill("#f-full_name", "Acme Help")
    page.check("[name=prefer_online]")
    page.check("[name=auto_enabled]")
    expect(page.locator("[data-preview-text]")).to_contain_text("Jo Miller")
    page.click("button:has-text('Add address')")
    expect(page.locator("h1")).to_have_text(f"help-{tag}@acme.example")

    # Ana is at her desk: her list is open, and her tab keeps her online
    anas, anas_troubles = site.desk(browser, ana)
    wait_until(lambda: site.call("GET", f"/agents/{ana.id}")["presence"] == "online", what="Ana online")
    anas.goto(f"/tickets?queue={queue['id']}")
    expect(anas.locator(".empty")).to_be_visible()

    # a customer's mail appears on her list without a reload, and is hers
    site.write(f"My order {tag}", "Where is it?", to=f"help-{tag}@acme.example")
    row = anas.locator(".ticket-row", has_text=f"My order {tag}")
    expect(row).to_be_visible(timeout=40_000)
    row.click()
    expect(anas.locator("h1")).to_have_text(f"My order {tag}")
    expect(anas.locator("#assignee")).to_have_value(ana.id, timeout=20_000)
    expect(anas.locator(".message.in")).to_contain_text("Where is it?")
    expect(anas.locator(".message.out", has_text="Automatic reply")).to_contain_text("Sent", timeout=40_000)
    assert site.mailbox(f"My order {tag}")["headers"]

    # she cannot answer from there, and is told why
    expect(anas.locator("[data-pane=reply]")).to_contain_text("only receives")
    expect(anas.locator("#reply-text")).to_have_count(0)

    # a note and closing; the administrator's open page of the ticket follows
    ticket = site.ticket(f"My order {tag}", 2)
    page.goto(f"/tickets/{ticket['id']}")
    anas.click("text=Internal note")
    anas.fill("#note-text", f"Asked the carrier {tag}")
    anas.click("button:has-text('Add note')")
    expect(anas.locator(".message.note")).to_contain_text(f"Asked the carrier {tag}")
    expect(page.locator(".message.note")).to_contain_text(f"Asked the carrier {tag}", timeout=15_000)
    anas.select_option("#status", "closed")
    expect(anas.locator(".ticket-head")).to_contain_text("Closed")
    expect(page.locator(".ticket-head")).to_contain_text("Closed", timeout=15_000)

    # the customer answers: the ticket opens again, before her eyes
    number = ticket["number"]
    site.write(f"Re: My order {tag} [{number}]", "Still nothing.", to=f"help-{tag}@acme.example")
    expect(anas.locator(".message.in", has_text="Still nothing.")).to_be_visible(timeout=40_000)
    expect(anas.locator(".ticket-head")).to_contain_text("Open", timeout=20_000)
    assert troubles.seen == []
    assert anas_troubles.seen == []


def test_presence_ends_when_the_tab_is_closed(site: StandingStack, browser: Browser) -> None:
    ben = site.add_agent("Ben")
    page, _ = site.desk(browser, ben)

    def presence() -> str:
        return str(site.call("GET", f"/agents/{ben.id}")["presence"])

    wait_until(lambda: presence() == "online", what="Ben online")
    page.goto("/queues")
    expect(page.locator(f"#agent-{ben.id}")).to_contain_text("Online")
    page.goto("/account")
    assert presence() == "online", "walking from page to page must not end presence"
    page.select_option("#presence", "away")
    wait_until(lambda: presence() == "away", what="Ben away")
    page.close(run_before_unload=True)
    wait_until(lambda: presence() == "offline", 45, what="Ben offline after closing his tab")


def test_works_without_script(site: StandingStack, browser: Browser) -> None:
    tag = secrets.token_hex(3)
    site.write(f"Plain {tag}", "No script here.", to="support@acme.example")
    ticket = site.ticket(f"Plain {tag}")
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    page = site.sign_in(context)
    page.goto(f"/tickets?q=Plain+{tag}")
    page.click(f".ticket-row:has-text('Plain {tag}')")
    page.click("text=Internal note")
    page.fill("#note-text", "Written without script")
    page.click("button:has-text('Add note')")
    expect(page.locator(".message.note")).to_contain_text("Written without script")
    page.select_option("#status", "pending")
    page.locator("form:has(#status) button").click()
    expect(page.locator(".ticket-head")).to_contain_text("Pending")
    assert site.call("GET", f"/tickets/{ticket['id']}")["status"] == "pending"
    context.close()


def test_two_administrators_and_one_address(site: StandingStack, browser: Browser) -> None:
    tag = secrets.token_hex(3)
    address = site.add_internal(f"both-{tag}", full_name="First")
    one, _ = site.desk(browser)
    two, _ = site.desk(browser)
    one.goto(f"/addresses/{address['id']}")
    two.goto(f"/addresses/{address['id']}")
    one.fill("#f-full_name", "Second")
    one.click("button:has-text('Save')")
    expect(one.locator(".notice.good")).to_contain_text("Saved")
    two.fill("#f-full_name", "Third")
    two.click("button:has-text('Save')")
    expect(two.locator(".notice.warn")).to_contain_text("Somebody else changed this address")
    expect(two.locator(".notice.warn")).to_contain_text("Second")
    assert site.call("GET", f"/addresses/{address['id']}")["full_name"] == "Second", "nothing is overwritten silently"
    two.click("button:has-text('Save')")
    expect(two.locator(".notice.good")).to_contain_text("Saved")
    assert site.call("GET", f"/addresses/{address['id']}")["full_name"] == "Third"


def test_disable_and_delete_tell_what_follows(site: StandingStack, browser: Browser) -> None:
    address = site.add_internal(f"gone-{secrets.token_hex(3)}")
    page, _ = site.desk(browser)
    page.goto(f"/addresses/{address['id']}")
    page.click("button:has-text('Disable')")
    expect(page.locator(".notice.good")).to_contain_text("is disabled")
    expect(page.locator("[data-live=state]")).to_contain_text("Disabled")
    page.click("text=Delete…")
    expect(page.locator(".consequences")).to_contain_text("refused from now on")
    page.click("button:has-text('Delete the address')")
    expect(page.locator(".notice.good")).to_contain_text("is deleted")
    assert site.api.get(f"/addresses/{address['id']}").status_code == 404
