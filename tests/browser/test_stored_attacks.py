"""Mails that attack whoever reads them, in real Chromium: no script runs, nothing outside is asked, no file is opened."""

from __future__ import annotations

import asyncio
import secrets
import threading
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest
from mailroom_contracts import Actor, Reply, ids, topics
from mailroom_runtime.bus.kafka import Producer
from mailroom_runtime.process.settings import ServiceSettings
from playwright.sync_api import Browser, Page, expect
from support.waiting import wait_until

from browser.chromium import Troubles
from browser.hostile_mails import NAMES, PAYLOADS
from browser.standing_stack import StandingStack
from browser.writing import arrived, came

pytestmark = pytest.mark.timeout(300)
TOGETHER = 6


def _send(
    site: StandingStack,
    subject: str,
    html: str,
    name: str = "Mallory",
    file: str = "",
    thread: tuple[str, str] = ("", ""),
) -> None:
    """`thread`: the Message-ID, and that of the mail that it answers."""
    own, answered = thread
    mail = EmailMessage()
    mail["From"] = f'"{name}" <mallory@evil.example>' if name.isalnum() else "mallory@evil.example"
    mail["To"], mail["Subject"] = "support@acme.example", subject
    mail["Message-ID"] = own or f"<{secrets.token_hex(8)}@evil.example>"
    if answered:
        mail["In-Reply-To"] = answered
    mail.set_content("plain")
    mail.add_alternative(f"<p>before</p>{html}<p>after</p>", subtype="html")
    if file:
        mail.add_attachment(b"<script>window.top.pwned=1</script>", maintype="text", subtype="html", filename=file)
    site.send(mail, "mallory@evil.example", "support@acme.example")


def _come_in(site: StandingStack, ticket_id: str, count: int) -> list[str]:
    """The ids of the ticket's mails from outside, once there are so many."""

    def look() -> list[str] | None:
        messages = site.call("GET", f"/tickets/{ticket_id}")["messages"]
        came = [message["id"] for message in messages if message["direction"] == "in"]
        return came if len(came) >= count else None

    came = wait_until(look, 40, every=0.2, what=f"{count} mails in one ticket")
    assert came is not None
    assert len(came) == count
    return came


def _look(page: Page, home: str = "http://127.0.0.1") -> None:
    """Have every frame loaded, click whatever invites to be clicked, and see that nothing ran."""
    for frame in page.frames[1:]:
        frame.wait_for_load_state()
        for link in frame.locator("#click, a").all():
            link.click(timeout=1000, force=True, no_wait_after=True)
    assert page.evaluate("window.pwned") is None
    assert page.url.startswith(home)


def test_fifty_hostile_mails(site: StandingStack, browser: Browser) -> None:
    assert len(PAYLOADS) >= 50
    tag = secrets.token_hex(3)

    def own(number: int) -> str:
        return f"<{tag}-{number}@evil.example>"

    # several to a ticket: to open its page costs most
    tickets = [[*range(first, min(first + TOGETHER, len(PAYLOADS)))] for first in range(0, len(PAYLOADS), TOGETHER)]
    made = []
    for numbers in tickets:
        _send(site, f"Hostile {tag} {numbers[0]}", PAYLOADS[numbers[0]], thread=(own(numbers[0]), ""))
    for numbers in tickets:
        made.append(site.ticket(f"Hostile {tag} {numbers[0]}")["id"])
        for number in numbers[1:]:
            _send(site, f"Hostile {tag} {numbers[0]}", PAYLOADS[number], thread=(own(number), own(numbers[0])))
    page, troubles = site.desk(browser)
    page.context.on("page", lambda opened: opened.close() if opened != page else None)
    page.route("**/live", lambda route: route.abort())  # a redraw would exchange the frame that is being looked at
    control = browser.new_page()
    watched = Troubles()
    watched.watch(control, "about:")
    control.set_content(PAYLOADS[4])
    wait_until(lambda: control.evaluate("window.pwned") == 1, what="a payload that works where nothing protects")
    assert any("dialog" in line for line in watched.seen)
    control.close()
    seen = 0
    for ticket, numbers in zip(made, tickets, strict=True):
        came = _come_in(site, ticket, len(numbers))
        page.goto(f"/tickets/{ticket}")
        for message in came:
            shown = page.locator(f"iframe[src*='{message}']")
            shown.scroll_into_view_if_needed()
            expect(shown.content_frame.locator("body")).to_contain_text("before")
        _look(page)
        for message in came:
            page.goto(f"/messages/{message}/frame?images=1")
            assert page.evaluate("window.pwned") is None
            seen += 1
        page.goto(f"/messages/{came[0]}/raw")
        assert page.evaluate("document.querySelectorAll('img, script, svg').length") == 0
    assert seen == len(PAYLOADS)
    said = [line for line in troubles.seen if "Content Security Policy" not in line and "ERR_" not in line]
    # what the browser says of a blocked navigation out of the sandbox is no trouble; a dialog or a script error is
    assert [line for line in said if "dialog" in line or "pwned" in line] == []
    assert [url for url in troubles.outside if "evil" not in url] == []


def test_html_that_another_system_writes_as_a_command(
    site: StandingStack, shop: dict[str, Any], browser: Browser
) -> None:
    """`ticket.commands` are written by whoever may: neither the customer nor an agent gets what is hostile in it."""
    ticket = came(site, shop, f"Written {secrets.token_hex(3)}")
    reply = Reply(
        id=ids.command_id(ticket["portal_id"], ticket["id"], "theirs"), ticket_id=ticket["id"], portal_id=ticket["portal_id"],
        at=datetime.now(UTC), actor=Actor(kind="api"), text="", html=f"<p>before</p>{''.join(PAYLOADS)}<p>after</p>",
    )  # fmt: skip

    async def write() -> None:
        async with Producer(ServiceSettings(kafka=f"127.0.0.1:{site.ports['kafka']}"), "test") as producer:
            await producer.send(topics.TICKET_COMMANDS, reply)

    thread = threading.Thread(target=lambda: asyncio.run(write()))  # Playwright's loop runs in this one
    thread.start()
    thread.join()
    mail = arrived(site, ticket["subject"])
    sent = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    open_reader = browser.new_page()  # a mail program that protects nobody
    watched = Troubles()
    watched.watch(open_reader, "about:")
    open_reader.set_content(sent)
    expect(open_reader.locator("body")).to_contain_text("before")
    _look(open_reader, "about:")
    assert watched.seen == []
    open_reader.close()
    assert "before" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    page, troubles = site.desk(browser)
    page.goto(f"/tickets/{ticket['id']}")
    page.locator(".message.out iframe").scroll_into_view_if_needed()
    expect(page.frame_locator(".message.out iframe").locator("body")).to_contain_text("before", timeout=20_000)
    _look(page)
    assert [line for line in troubles.seen if "dialog" in line or "pwned" in line] == []


def test_hostile_names_subjects_and_files(site: StandingStack, browser: Browser) -> None:
    tag = secrets.token_hex(3)
    page, troubles = site.desk(browser)
    for number, name in enumerate(NAMES):
        mail = EmailMessage()
        mail["From"] = mail["To"] = ""
        del mail["From"], mail["To"]
        raw = (
            f"From: =?utf-8?q?{''.join(f'={b:02X}' for b in name.encode())}?= <mallory@evil.example>\r\n"
            f"To: support@acme.example\r\nSubject: {tag}-{number} {name}\r\nMessage-ID: <{tag}{number}@evil.example>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
            f'{name}\r\n--b\r\nContent-Type: text/html; name="x.html"\r\nContent-Disposition: attachment; '
            f"filename*=utf-8''{''.join(f'%{b:02X}' for b in name.encode())}.html\r\n\r\n"
            "<script>window.top.pwned=1;alert(1)</script>\r\n--b--\r\n"
        ).encode()
        site.send(raw, "mallory@evil.example", "support@acme.example")
        ticket = site.ticket(f"{tag}-{number} {name}")
        for path in (f"/tickets?q={tag}", f"/tickets/{ticket['id']}", "/addresses", "/audit", "/activity/bounces"):
            page.goto(path)
            assert page.evaluate("window.pwned") is None
        page.goto(f"/tickets/{ticket['id']}")
        assert page.locator("h1").inner_text().startswith(f"{tag}-{number}")
        with page.expect_download() as saved:
            page.locator(".attachment").first.click()
        assert "/" not in saved.value.suggested_filename
        assert page.evaluate("window.pwned") is None
    assert "62615533" not in page.locator("h1").inner_text()
    assert [line for line in troubles.seen if "dialog" in line] == []


def test_remote_pictures_only_on_request(site: StandingStack, browser: Browser) -> None:
    tag = secrets.token_hex(3)
    _send(site, f"Pixel {tag}", '<img src="http://127.0.0.1:9/pixel.png"><img src="https://track.example/x.gif">')
    ticket = site.ticket(f"Pixel {tag}")
    page, troubles = site.desk(browser)
    page.goto(f"/tickets/{ticket['id']}")
    frame = page.frame_locator("iframe")
    expect(frame.locator(".mailroom-blocked")).to_contain_text("2 pictures from elsewhere are not loaded")
    assert troubles.outside == []
    with page.expect_request("http://127.0.0.1:9/pixel.png"), page.expect_request("https://track.example/x.gif"):
        frame.locator("text=Show what is not loaded").click()


def test_quoted_text_is_folded(site: StandingStack, browser: Browser) -> None:
    tag = secrets.token_hex(3)
    _send(site, f"Quote {tag}", "<p>My answer</p><blockquote><p>Your old question</p></blockquote>")
    ticket = site.ticket(f"Quote {tag}")
    page, _ = site.desk(browser)
    page.goto(f"/tickets/{ticket['id']}")
    quoted = page.frame_locator("iframe").locator("text=Your old question")
    expect(page.frame_locator("iframe").locator("text=My answer")).to_be_visible()
    expect(page.frame_locator("iframe").locator("summary")).to_be_visible()
    # "after" follows, so the quote is the last thing but a signature
    assert not quoted.is_visible()
    page.frame_locator("iframe").locator("summary").click()
    expect(quoted).to_be_visible()


def test_no_other_site_frames_a_page(site: StandingStack, browser: Browser) -> None:
    page, _ = site.desk(browser)
    for path in ("/tickets", "/addresses", "/account", "/sign-in"):
        answer = page.goto(path)
        assert answer is not None
        headers = answer.headers
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
    page.goto("about:blank")
    page.set_content(f'<iframe id=f src="{site.url}/tickets" width=800 height=600></iframe>')
    page.wait_for_load_state("networkidle")
    frame = page.frames[1]
    assert "Mailroom" not in frame.content()
