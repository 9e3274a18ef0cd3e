"""What tests of the writing box share: pasting, a picture, and the mail as it arrived."""

from __future__ import annotations

import base64
import email
import email.policy
import struct
import zlib
from email.message import EmailMessage
from typing import Any

from playwright.sync_api import Browser, Locator, Page

from .chromium import Troubles
from .standing_stack import StandingStack

PASTE = """([selector, data, html, text]) => {
  const transfer = new DataTransfer();
  if (data) {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    transfer.items.add(new File([bytes], 'shot.png', { type: 'image/png' }));
  }
  if (html) transfer.setData('text/html', html);
  if (text) transfer.setData('text/plain', text);
  const target = document.querySelector(selector);
  target.dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true }));
}"""


def came(site: StandingStack, shop: dict[str, Any], subject: str) -> dict[str, Any]:
    site.forwarded(subject, f"About {subject}", {"To": shop["email"], "X-Forwarded-To": shop["email"]},
                   "Kim <kim@customer.example>")  # fmt: skip
    return site.ticket(subject)


def ticket_page(
    site: StandingStack, shop: dict[str, Any], browser: Browser, subject: str, query: str = ""
) -> tuple[dict[str, Any], Page, Troubles]:
    """A new mail's ticket, and its page as the administrator sees it."""
    ticket = came(site, shop, subject)
    page, troubles = site.desk(browser)
    page.goto(f"/tickets/{ticket['id']}{query}")
    return ticket, page, troubles


def picture(colour: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (40, 20)) -> bytes:
    """A PNG of one colour (ISO/IEC 15948), red by default."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    width, height = size
    rows = (b"\0" + bytes(colour) * width) * height
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def arrived(site: StandingStack, subject: str, to: str = "") -> EmailMessage:
    """The mail as it came to the other side's SMTP server, read by the standard library."""
    letter = site.mailbox(subject, to)
    return email.message_from_bytes(site.letter(int(letter["id"])), policy=email.policy.default)  # type: ignore[return-value]


def editor(page: Page, pane: str = "reply") -> Locator:
    return page.locator(f"[data-pane={pane}] .ProseMirror")


def paste(page: Page, selector: str, *, data: bytes = b"", html: str = "", text: str = "") -> None:
    page.evaluate(PASTE, [selector, base64.b64encode(data).decode(), html, text])


def send(page: Page) -> None:
    page.click("[data-pane=reply] [data-send]")
