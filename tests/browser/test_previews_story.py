"""Files looked at in place on the ticket's page: PDF and fax as pictures, pictures, texts; with and without script."""

from __future__ import annotations

import secrets
from email.message import EmailMessage

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect
from support.documents import HEIC, pdf, pdf_with_script, picture, protected_pdf, tiff

from browser.accessibility import findings
from browser.standing_stack import StandingStack

pytestmark = pytest.mark.timeout(240)
FILES = {
    "offer.pdf": ("application", "pdf", pdf(*[f"Offer, page {n}" for n in range(1, 8)])),
    "unsaid.pdf": ("application", "octet-stream", pdf_with_script()),
    "locked.pdf": ("application", "pdf", protected_pdf()),
    "damaged.pdf": ("application", "pdf", b"%PDF-1.7 and no more"),
    "fax.tif": ("image", "tiff", tiff(2)),
    "IMG_0042.HEIC": ("image", "heic", HEIC),
    "lamp.png": ("image", "png", picture()),
    "lamp.bmp": ("image", "bmp", picture("BMP")),
    "list.csv": ("text", "csv", b"lamp;green\n<script>x()</script>;2"),
}


def mail_with_files(site: StandingStack, subject: str, names: list[str]) -> dict[str, str]:
    """A ticket whose first mail carries these files."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Jo <jo@customer.example>", "support@acme.example", subject
    mail["Message-ID"] = f"<{secrets.token_hex(8)}@customer.example>"
    mail.set_content("See the files.")
    for name in names:
        kind, sub, content = FILES[name]
        mail.add_attachment(content, maintype=kind, subtype=sub, filename=name)
    site.send(mail, "jo@customer.example", "support@acme.example")
    return site.ticket(subject)


def look(page: Page, name: str) -> FrameLocator:
    """Open a file in place; its frame, or what stands where it would be."""
    item = page.locator(".attachments > li", has_text=name)
    item.locator("summary").click()
    return item.frame_locator("iframe")


def test_files_are_looked_at_in_place(site: StandingStack, browser: Browser) -> None:
    ticket = mail_with_files(site, f"Files {secrets.token_hex(3)}", list(FILES))
    page, troubles = site.desk(browser)
    page.goto(f"/tickets/{ticket['id']}")

    offer = look(page, "offer.pdf")
    expect(offer.locator("img")).to_have_count(5, timeout=20_000)
    assert offer.locator("img").first.evaluate("image => image.naturalWidth") == 1100
    offer.get_by_role("link", name="Show more pages").click()
    expect(offer.locator("figcaption")).to_have_text(["Page 6 of 7", "Page 7 of 7"])
    offer.get_by_role("link", name="Show earlier pages").click()
    expect(offer.locator("img")).to_have_count(5)

    expect(look(page, "unsaid.pdf").locator("img")).to_have_count(1)
    expect(look(page, "locked.pdf").locator("body")).to_contain_text("protected by a password")
    expect(look(page, "damaged.pdf").locator("body")).to_contain_text("damaged")
    expect(look(page, "fax.tif").locator("img")).to_have_count(2)
    expect(look(page, "IMG_0042.HEIC").locator("body")).to_contain_text("HEIC")
    expect(look(page, "list.csv").locator("body")).to_contain_text("<script>x()</script>;2")
    for name in ("lamp.png", "lamp.bmp"):
        look(page, name)
        shown = page.locator(".attachments > li", has_text=name).locator("img")
        shown.scroll_into_view_if_needed()
        page.wait_for_function("image => image.complete && image.naturalWidth === 300", arg=shown.element_handle())
    with page.expect_download() as saved:
        page.locator(".attachment", has_text="locked.pdf").click()
    assert saved.value.suggested_filename == "locked.pdf"
    assert findings(page) == []
    # Playwright itself asks frames by script, which the sandbox says it blocks
    assert [said for said in troubles.seen if "Blocked script execution" not in said] == []
    assert troubles.outside == []


def test_a_pdf_is_looked_at_without_script_and_on_a_phone(site: StandingStack, browser: Browser) -> None:
    ticket = mail_with_files(site, f"Offer {secrets.token_hex(3)}", ["offer.pdf"])
    context = browser.new_context(base_url=site.url, java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = site.sign_in(context)
    page.goto(f"/tickets/{ticket['id']}")
    frame = look(page, "offer.pdf")
    expect(frame.locator("img")).to_have_count(5, timeout=20_000)
    width = frame.locator("img").first.bounding_box()
    assert width is not None
    assert 200 < width["width"] <= 390
    frame.get_by_role("link", name="Show more pages").click()
    expect(frame.locator("figcaption").last).to_have_text("Page 7 of 7")
    context.close()
