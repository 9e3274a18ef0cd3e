"""What somebody does on a page, for screenshots: answering, sending later, looking at files, choosing tickets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page, expect

from .writing import editor, paste, picture


@dataclass(frozen=True)
class Scene:
    """A picture: its name, the page that it begins on, what is done there, and how it is looked at."""

    name: str
    path: str
    act: Callable[[Page], None] = lambda page: None
    size: str = "desktop"
    scheme: str = "light"
    language: str = "en-GB"


def scenes(ids: dict[str, str]) -> list[Scene]:
    """All of them, in the order in which they are taken: the last ones leave something behind."""
    shop, files, ticket = (f"/tickets/{ids[name]}" for name in ("answered", "files", "ticket"))
    return [
        Scene("answering", f"{shop}?write=reply", write),
        Scene("answering-phone", f"{shop}?write=reply", write, size="phone"),
        Scene("answering-dark", f"{shop}?write=reply", write, scheme="dark"),
        Scene("send-later", f"{shop}?write=reply", choose_a_time),
        Scene("forward", f"{shop}?write=forward"),
        Scene("new-message", "/tickets/new"),
        Scene("files", files, look_at_files),
        Scene("files-phone", files, look_at_files, size="phone"),
        Scene("ticket-more", ticket, open_more),
        Scene("tickets-filtered", "/tickets?view=all", choose_tickets),
        Scene("tickets-filtered-phone", "/tickets?view=all", choose_tickets, size="phone"),
        Scene("tickets-german", "/tickets?view=all", language="de-DE"),
        Scene("ticket-vietnamese", ticket, language="vi-VN"),
        Scene("held", shop, send_tomorrow),
    ]


def write(page: Page) -> None:
    """Formatted text with a picture."""
    editor(page).click()
    page.keyboard.press("Control+a")
    page.keyboard.type("Hello Kim,")
    page.keyboard.press("Enter")
    page.keyboard.type("here is how it looks in ")
    page.keyboard.press("Control+b")
    page.keyboard.type("green")
    page.keyboard.press("Control+b")
    page.keyboard.type(". We can send")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Shift+8")
    page.keyboard.type("one lamp tomorrow, or")
    page.keyboard.press("Enter")
    page.keyboard.type("two of them next week.")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    paste(page, "[data-pane=reply] .ProseMirror", data=picture((60, 150, 90), (240, 120)))
    expect(editor(page).locator("img[src^='/pictures/']")).to_be_visible()
    page.locator("[data-pane=reply] [data-draft-state]").scroll_into_view_if_needed()


def choose_a_time(page: Page) -> None:
    page.locator("[data-pane=reply] summary:has-text('Send later')").click()


def send_tomorrow(page: Page) -> None:
    write(page)
    choose_a_time(page)
    page.locator("[data-pane=reply] [name=send_at]").select_option(index=2)
    page.click("[data-pane=reply] [data-send]")
    held = page.locator(".message.out", has_text="Leaves at")
    expect(held).to_be_visible(timeout=15_000)
    held.scroll_into_view_if_needed()


def look_at_files(page: Page) -> None:
    """Every file that can be looked at is open."""
    for item in page.locator(".attachments > li").all():
        item.locator("summary").click()
    expect(page.frame_locator("iframe.sheets").locator("img").first).to_be_visible(timeout=20_000)
    page.locator("iframe.sheets").scroll_into_view_if_needed()


def open_more(page: Page) -> None:
    """The menu of a mail, and what is under More."""
    page.locator(".ticket-side summary", has_text="More").first.click()
    page.locator(".message details.menu summary").first.click()


def choose_tickets(page: Page) -> None:
    page.locator("details.filters summary").click()
    for box in page.locator(".ticket-row ~ input[type=checkbox], .ticket-list input[type=checkbox]").all()[:2]:
        box.check()
