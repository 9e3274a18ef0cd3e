"""Formatted text in the browser: an agent writes bold words, a list, a link and pastes a picture; the mail as a mail program
reads it, the answer that quotes it, drafts, undo, canned answers, plain text, no script, phone and keyboard."""

from __future__ import annotations

import secrets
import subprocess
from email.message import EmailMessage
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from support.authorities import as_given
from support.processes import REPOSITORY

from browser.accessibility import findings
from browser.chromium import new_context
from browser.standing_stack import StandingStack
from browser.writing import arrived, came, editor, paste, picture, send, ticket_page

pytestmark = pytest.mark.timeout(600)


def test_bold_a_list_a_link_and_a_pasted_picture(site: StandingStack, shop: dict[str, Any], browser: Browser) -> None:
    subject = f"Formatted {secrets.token_hex(3)}"
    ticket, page, troubles = ticket_page(site, shop, browser, subject)
    box = editor(page)
    expect(box).to_be_visible()
    expect(page.get_by_label("Your reply")).to_have_count(1)
    box.click()
    page.keyboard.press("Control+b")
    page.keyboard.type("Important")
    page.keyboard.press("Control+b")
    page.keyboard.type(": read ")
    page.keyboard.type("this")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Control+k")
    page.keyboard.type("lamps.example/manual")
    page.keyboard.press("Enter")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Shift+8")
    page.keyboard.type("one lamp")
    page.keyboard.press("Enter")
    page.keyboard.type("two bulbs")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    paste(page, "[data-pane=reply] .ProseMirror", data=picture())
    expect(box.locator("img[src^='/pictures/']")).to_be_visible()
    expect(page.locator(".file-chip")).to_have_count(0)
    # it is kept while one writes, and comes back
    expect(page.locator("[data-pane=reply] [data-draft-state]")).to_have_text("Draft kept")
    assert findings(page) == []
    page.reload()
    expect(box.locator("strong")).to_have_text("Important")
    expect(box.locator("img[alt='shot.png']")).to_be_visible()
    send(page)
    sent = page.locator(".message.out")
    expect(sent.locator(".badge.good")).to_have_text("Sent", timeout=30_000)

    mail = arrived(site, subject)
    assert mail.get_content_type() == "multipart/alternative"
    plain, rich = mail.iter_parts()
    assert plain.get_content_type() == "text/plain"
    words = plain.get_content().replace("\r\n", "\n")
    assert words.startswith(
        "Important: read this <https://lamps.example/manual>\n- one lamp\n- two bulbs\n[shot.png]\n\n-- \n"
    )
    assert f"> About {subject}" in words
    assert rich.get_content_type() == "multipart/related"
    html, shown = rich.iter_parts()
    source = html.get_content()
    assert "<strong>Important</strong>" in source
    assert 'href="https://lamps.example/manual"' in source
    assert source.count("<li>") == 2
    assert "Lamps Ltd" in source
    assert source.index("Lamps Ltd") < source.index(f"About {subject}")
    assert shown.get_content_type() == "image/png"
    assert shown.get_content() == picture()
    assert shown.get_content_disposition() == "inline"
    assert f"cid:{shown['Content-ID'].strip('<>')}" in source

    # the console shows it as it was sent
    sent.locator("iframe").scroll_into_view_if_needed()
    frame = page.frame_locator(".message.out iframe")
    expect(frame.locator("strong")).to_have_text("Important", timeout=30_000)
    assert frame.locator("img").evaluate("(img) => img.complete && img.naturalWidth") == 40
    expect(sent.locator(".attachment")).to_have_count(0)

    # an answer that quotes it comes to the ticket
    answer = EmailMessage()
    answer["From"], answer["To"], answer["Subject"] = "kim@customer.example", shop["email"], f"Re: {subject}"
    answer["Message-ID"] = f"<{secrets.token_hex(8)}@customer.example>"
    answer["In-Reply-To"], answer["X-Forwarded-To"] = mail["Message-ID"], shop["email"]
    answer.set_content("Thank you!\n\nOn Tuesday you wrote:\n" + "\n".join(f"> {line}" for line in words.split("\n")))
    answer.add_alternative(f"<p>Thank you!</p><blockquote>{source}</blockquote>", subtype="html")
    site.send(answer, "kim@customer.example", "support@acme.example")
    found = site.ticket(subject, 3)
    assert found["id"] == ticket["id"]
    assert found["messages"][-1]["reply_text"].strip() == "Thank you!"
    assert not troubles.seen, troubles.seen
    assert not troubles.outside, troubles.outside


def test_what_is_pasted_is_made_clean(site: StandingStack, shop: dict[str, Any], browser: Browser) -> None:
    _, page, troubles = ticket_page(site, shop, browser, f"Pasted {secrets.token_hex(3)}")
    editor(page).click()
    paste(page, "[data-pane=reply] .ProseMirror", text="x", html=(
        '<meta charset="utf-8"><style>p{color:red}</style><p onclick="alert(1)" style="color:red;font-weight:bold">Bold</p>'
        '<script>alert(2)</script><img src="https://tracker.example/p.gif" onerror="alert(3)">'
        '<a href="javascript:alert(4)">bad</a> <a href="https://ok.example/">good</a>'
        '<b style="font-weight:normal">not</b> bold<style>p{color:red}</style>'
        "<table><tr><td>cell</td></tr></table><h1>Head</h1><iframe src='https://x.example'></iframe>"
    ))  # fmt: skip
    html = page.locator("[data-pane=reply] input[name=html]").input_value()
    assert "<strong>Bold</strong>" in html
    assert "<strong>not</strong>" not in html
    assert '<a href="https://ok.example/">good</a>' in html
    assert "cell" in html
    assert "Head" in html
    for bad in ("script", "javascript:", "onclick", "tracker", 'style="color', "iframe", "<table"):
        assert bad not in html, bad
    assert not troubles.seen, troubles.seen
    assert not troubles.outside, troubles.outside


def test_undo_plain_text_and_canned_answers(site: StandingStack, shop: dict[str, Any], browser: Browser) -> None:
    subject = f"Undone {secrets.token_hex(3)}"
    _, page, troubles = ticket_page(site, shop, browser, subject)
    box = editor(page)
    box.click()
    page.keyboard.press("Control+i")
    page.keyboard.type("Slanted")
    page.keyboard.press("Control+i")
    page.keyboard.press("Enter")
    page.keyboard.type("/hours")
    page.keyboard.press("Enter")
    expect(box).to_contain_text("We open at nine.")
    expect(box).not_to_contain_text("/hours")
    page.keyboard.press("Control+Shift+9")
    site.call("PATCH", "/portals/current", undo_send_s=30)
    try:
        page.keyboard.press("Control+Enter")
        page.click("button:has-text('Undo')")
    finally:
        site.call("PATCH", "/portals/current", undo_send_s=0)
    expect(box.locator("em")).to_have_text("Slanted")
    expect(box.locator("blockquote")).to_have_text("Come in!")
    expect(box).not_to_contain_text("Lamps Ltd")

    # plain text, and back as it was
    page.click("[data-pane=reply] [data-tool=plain]")
    area = page.locator("[data-pane=reply] textarea")
    expect(area).to_be_visible()
    expect(area).to_have_value("Slanted\nWe open at nine.\n> Come in!")
    page.click("[data-pane=reply] [data-tool=plain]")
    expect(box.locator("em")).to_have_text("Slanted")
    # nothing but plain text: nothing but plain text is sent
    page.click("[data-pane=reply] [data-tool=plain]")
    area.fill("Only words.")
    send(page)
    expect(page.locator(".message.out .badge.good")).to_have_text("Sent", timeout=30_000)
    mail = arrived(site, subject)
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().startswith("Only words.")
    # it is remembered
    page.reload()
    expect(area).to_be_visible()
    assert not troubles.seen, troubles.seen


def test_words_without_formatting_leave_as_plain_text(
    site: StandingStack, shop: dict[str, Any], browser: Browser
) -> None:
    subject = f"Words {secrets.token_hex(3)}"
    _, page, _ = ticket_page(site, shop, browser, subject)
    expect(editor(page)).to_be_visible()
    send(page)  # nothing is written yet: it is not sent, and one writes
    expect(editor(page)).to_be_focused()
    expect(page.locator("#announcer")).to_have_text("Write something first.")
    page.keyboard.type("Line one")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.keyboard.type("Line three")
    send(page)
    expect(page.locator(".message.out .badge.good")).to_have_text("Sent", timeout=30_000)
    mail = arrived(site, subject)
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().replace("\r\n", "\n").startswith("Line one\n\nLine three\n\n-- \n")


def test_note_forward_and_first_message_hold_formatted_text(
    site: StandingStack, shop: dict[str, Any], browser: Browser
) -> None:
    subject = f"Others {secrets.token_hex(3)}"
    ticket, page, troubles = ticket_page(site, shop, browser, subject, "?write=note")
    editor(page, "note").click()
    page.keyboard.press("Control+u")
    page.keyboard.type("Called twice")
    page.click("[data-pane=note] button.primary")
    expect(page.frame_locator(".message.note iframe").locator("u")).to_have_text("Called twice", timeout=15_000)

    page.goto(f"/tickets/{ticket['id']}?write=forward")
    page.locator("[data-pane=forward] .chip-entry").first.fill("lab@partner.example")
    editor(page, "forward").click()
    page.keyboard.press("Control+b")
    page.keyboard.type("Please look")
    page.click("[data-pane=forward] button:has-text('Forward')")
    expect(page.locator(".message.out .badge.good")).to_have_text("Sent", timeout=30_000)
    mail = arrived(site, f"Fwd: {subject}", "lab@partner.example")
    assert "<strong>Please look</strong>" in mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "Please look" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]

    page.goto("/tickets/new")
    page.select_option("#from", shop["id"])
    page.locator(".chip-entry").first.fill("dora@customer.example")
    page.fill("#subject", f"First {subject}")
    page.locator(".ProseMirror").click()
    page.keyboard.type("- lamp")
    page.locator("form[action='/tickets/new'] [data-send]").click()
    page.wait_for_url("**/tickets/*", timeout=15_000)
    first = arrived(site, f"First {subject}", "dora@customer.example")
    assert "<li>" in first.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert first.get_body(("plain",)).get_content().startswith("- lamp")  # type: ignore[union-attr]
    assert not troubles.seen, troubles.seen


def test_a_form_that_is_shown_again_keeps_the_formatting(
    site: StandingStack, shop: dict[str, Any], browser: Browser
) -> None:
    _, page, _ = ticket_page(site, shop, browser, f"Again {secrets.token_hex(3)}")
    editor(page).click()
    page.keyboard.press("Control+b")
    page.keyboard.type("Loud")
    page.evaluate("document.querySelector('[data-pane=reply] input[name=to]').value = 'no address at all'")
    send(page)
    expect(page.locator(".composer .notice.bad")).to_be_visible()
    expect(editor(page).locator("strong")).to_have_text("Loud")


def test_without_script_and_without_the_bundle_it_is_a_text_field(
    site: StandingStack, shop: dict[str, Any], browser: Browser
) -> None:
    ticket = came(site, shop, f"Bare {secrets.token_hex(3)}")
    page, _ = site.desk(browser)
    state = page.context.storage_state()
    context = browser.new_context(base_url=site.url, java_script_enabled=False, storage_state=state)
    bare = context.new_page()
    bare.goto(f"/tickets/{ticket['id']}")
    expect(bare.locator("#reply-text")).to_be_visible()
    expect(bare.locator("[data-tools]").first).to_be_hidden()
    bare.fill("#reply-text", "Without script")
    bare.click("[data-pane=reply] [data-send]")
    expect(bare.locator(".message.out")).to_contain_text("Without script")
    # the bundle cannot be loaded: the field works, with its chips and canned answers
    lame = new_context(browser, site.url)
    lame.route("**/editor.js", lambda route: route.abort())
    plain = site.sign_in(lame)
    plain.goto(f"/tickets/{ticket['id']}")
    plain.fill("#reply-text", "/hours")
    plain.locator("#reply-text").press("Enter")
    expect(plain.locator("#reply-text")).to_have_value("We open at nine.\nCome in!")


def test_the_tools_by_keyboard_and_on_a_phone(site: StandingStack, shop: dict[str, Any], browser: Browser) -> None:
    ticket = came(site, shop, f"Tools {secrets.token_hex(3)}")
    page, troubles = site.desk(browser, size="phone", scheme="dark")
    page.goto(f"/tickets/{ticket['id']}")
    editor(page).click()
    page.keyboard.type("word")
    page.keyboard.press("Control+a")
    bold = page.locator("[data-pane=reply] [data-tool=strong]")
    bold.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-pane=reply] [data-tool=em]")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(editor(page).locator("strong")).to_have_text("word")
    expect(bold).to_have_attribute("aria-pressed", "true")
    # Tab leaves the field: whoever writes by keyboard is not caught in it
    editor(page).focus()
    page.keyboard.press("Tab")
    expect(editor(page)).not_to_be_focused()
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]
    assert findings(page) == []
    assert not troubles.seen, troubles.seen


def test_the_editor_is_built_from_its_lock() -> None:
    """Where npm is there the bundle can be made, and no file of the repository names a registry."""
    folder = REPOSITORY / "services" / "console" / "editor"
    lock = (folder / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert "://" not in lock
    subprocess.run(
        ["bash", str(folder / "build.sh"), "--must"], env=as_given(), check=True, timeout=240, capture_output=True
    )
