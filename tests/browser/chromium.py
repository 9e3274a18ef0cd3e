"""Debian's Chromium, driven by Playwright: how every browser test starts it and what it must never see."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

# The browser without its own windows takes half the processor time of the whole one, which does as well.
SHELL = "/usr/bin/chromium-headless-shell"
EXECUTABLE = SHELL if os.path.exists(SHELL) else "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # nothing but this machine is ever asked
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
SIZES = {"desktop": (1280, 860), "phone": (390, 844)}


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Troubles:
    """What a page must not do: errors in the console, script errors, dialogs, requests to elsewhere."""

    seen: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def watch(self, page: Page, home: str) -> None:
        def said(message: object) -> None:
            kind, text = message.type, message.text  # type: ignore[attr-defined]
            if kind == "error" and "the server responded with a status of 4" not in text:
                self.seen.append(f"{page.url}: {text}")

        def asked(request: object) -> None:
            url = request.url  # type: ignore[attr-defined]
            if not url.startswith((home, "data:", "blob:", "about:")):
                self.outside.append(url)

        def dialog(box: object) -> None:
            self.seen.append(f"dialog: {box.message}")  # type: ignore[attr-defined]
            box.dismiss()  # type: ignore[attr-defined]

        page.on("console", said)
        page.on("pageerror", lambda error: self.seen.append(f"{page.url}: {error}"))
        page.on("request", asked)
        page.on("dialog", dialog)


def new_context(
    browser: Browser,
    url: str,
    size: str = "desktop",
    scheme: str = "light",
    *,
    language: str = "en-US",
    ignore_https_errors: bool = False,
) -> BrowserContext:
    """A fresh profile of one window size."""
    width, height = SIZES[size]
    return browser.new_context(
        base_url=url, viewport={"width": width, "height": height}, color_scheme=scheme, locale=language,  # type: ignore[arg-type]
        has_touch=size == "phone", accept_downloads=True, ignore_https_errors=ignore_https_errors,
    )  # fmt: skip
