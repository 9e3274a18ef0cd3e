"""Every page that there is to look at, with something on it: for accessibility and for screenshots."""

from __future__ import annotations

import io
import secrets
from dataclasses import dataclass

from PIL import Image, ImageDraw
from support.documents import pdf

from .standing_stack import StandingStack


@dataclass(frozen=True)
class Place:
    """A page: its name in file names, and its path."""

    name: str
    path: str


_STORY = (
    (
        "Jo Miller",
        "Where is my parcel?",
        "I ordered two lamps last week, and the tracking page still says that they have "
        "not left the warehouse. Can you have a look?",
    ),
    (
        "Mira Patel",
        "Invoice 20441: wrong VAT",
        "the invoice has 19 % VAT, but books have 7 %. Please send a corrected one.",
    ),
    ("Łukasz Nowak", "Offer for 40 chairs", "thank you for the offer. Does the price include delivery to Kraków?"),
    (
        "Rosa Delgado",
        "Broken hinge on the cabinet",
        "one of the hinges came broken. A picture and the delivery note are attached.",
    ),
)


_NOTE = pdf(
    "Delivery note 4471\nAcme Furniture, 12 Mill Lane, Leeds\n\nTo: Rosa Delgado, Calle Mayor 3, Sevilla\n\n"
    "1 cabinet, oak\n4 hinges, brass\n12 screws\n\nPacked on 23 November 2026 by P. Shaw",
    "How to mount the hinges\n1. Lay the door on something soft.\n2. Put both hinges into their holes.\n"
    "3. Turn the screws by hand, not by machine.",
    "Spare parts\nHinge, brass: 4471-H\nScrew, 3 x 16: 4471-S",
)


def _hinge() -> bytes:
    """A hinge that is broken, as a picture."""
    drawn = Image.new("RGB", (640, 360), (214, 196, 170))
    pen = ImageDraw.Draw(drawn)
    pen.rectangle((120, 90, 300, 270), fill=(176, 141, 60), outline=(110, 84, 30), width=4)
    pen.polygon(
        [(340, 90), (520, 90), (520, 270), (390, 270), (360, 200), (385, 150)],
        fill=(176, 141, 60),
        outline=(110, 84, 30),
    )
    pen.rectangle((300, 80, 330, 280), fill=(140, 110, 45))
    for x, y in ((170, 130), (170, 230), (250, 180), (470, 130), (470, 230)):
        pen.ellipse((x - 14, y - 14, x + 14, y + 14), fill=(90, 70, 30))
    target = io.BytesIO()
    drawn.save(target, "PNG")
    return target.getvalue()


def furnish(site: StandingStack) -> dict[str, str]:
    """Put things into the stack that make the pages worth looking at; ids by name. Runs once on a fresh stack, but may
    run again on one that stands: senders get new addresses then, so that each gets its automatic reply."""
    tag = secrets.token_hex(2)
    support = site.queue()
    names = {queue["name"] for queue in site.call("GET", "/queues")["items"]}
    sales = site.queue("Sales") if "Sales" in names else site.add_queue("Sales", [])
    ben = site.add_agent("Ben Okafor", queue_ids=[support["id"], sales["id"]])
    site.call("PUT", f"/agents/{ben.id}/presence", presence="online", ttl_s=600)
    emails = {address["email"]: address for address in site.call("GET", "/addresses")["items"]}
    internal = emails["support@acme.example"]
    shop = emails.get("shop@lamps.example") or site.add_smtp(
        "shop@lamps.example", sales["id"], internal["id"], full_name="Lamps and More"
    )
    found: dict[str, dict[str, object]] = {}
    for name, subject, text in _STORY:
        sender = f"{name.split()[0].lower().replace('ł', 'l')}@customer-{tag}.example"
        signed = f"Hello,\n\n{text}\n\nRegards\n{name.split()[0]}"
        html = None
        if subject.startswith("Where"):
            html = (
                f"<p>Hello,</p><p>{text} <img src='https://customer.example/logo.png'></p><p>Regards<br><b>Jo</b></p>"
                "<blockquote><p>Thank you for your order of two lamps.</p></blockquote>"
            )
        files = {"hinge.png": _hinge(), "delivery-note.pdf": _NOTE} if subject.startswith("Broken") else None
        site.write(subject, signed, to="support@acme.example", sender=f"{name} <{sender}>", html=html, files=files)
        found[name] = site.ticket(subject, 2, sender=sender)
    to_shop = {"To": "shop@lamps.example", "X-Forwarded-To": "support@acme.example"}
    site.forwarded(
        "Do you have this lamp in green?",
        "Hello,\n\nor only in red?\n\nKim",
        to_shop,
        f"Kim <kim@customer-{tag}.example>",
    )
    kim = site.ticket("Do you have this lamp in green?", sender=f"kim@customer-{tag}.example")
    site.call("POST", f"/tickets/{kim['id']}/replies", 202, text="Hello Kim,\n\nyes, in two weeks.\n\nBen")
    jo = str(found["Jo Miller"]["id"])
    site.call("POST", f"/tickets/{jo}/notes", text="Called the carrier: it is in Leipzig and comes tomorrow.")
    site.call("PATCH", f"/tickets/{jo}", tags=["parcel", "vip"])
    site.call(
        "POST", "/canned", name="green lamps", text="Green lamps are back in two weeks.\nShall we keep one for you?"
    )
    site.call("POST", "/canned", name="opening hours", text="We are here from nine to five, {{customer.name}}.")
    return {"ticket": jo, "answered": kim["id"], "files": str(found["Rosa Delgado"]["id"]), "address": internal["id"], "smtp": shop["id"],
            "queue": support["id"], "agent": ben.id}  # fmt: skip


def places(ids: dict[str, str]) -> list[Place]:
    """All pages for a signed-in administrator."""
    return [
        Place("tickets", "/tickets"),
        Place("tickets-empty", "/tickets?view=failed"),
        Place("search", "/tickets?q=parcel"),
        Place("ticket", f"/tickets/{ids['ticket']}"),
        Place("ticket-answered", f"/tickets/{ids['answered']}"),
        Place("ticket-note", f"/tickets/{ids['ticket']}?write=note"),
        Place("addresses", "/addresses"),
        Place("address-add", "/addresses/add"),
        Place("address-add-internal", "/addresses/add/internal"),
        Place("address-add-gmail", "/addresses/add/gmail"),
        Place("address-add-smtp", "/addresses/add/smtp"),
        Place("address", f"/addresses/{ids['address']}"),
        Place("address-smtp", f"/addresses/{ids['smtp']}"),
        Place("address-delete", f"/addresses/{ids['address']}/delete"),
        Place("queues", "/queues"),
        Place("queue-add", "/queues/add"),
        Place("queue", f"/queues/{ids['queue']}"),
        Place("agent-add", "/agents/add"),
        Place("agent", f"/agents/{ids['agent']}"),
        Place("activity", "/activity"),
        Place("activity-outbound", "/activity/outbound"),
        Place("activity-dead", "/activity/dead"),
        Place("activity-bounces", "/activity/bounces"),
        Place("portal", "/portal"),
        Place("account", "/account"),
        Place("tokens", "/tokens"),
        Place("forgetting", "/forgetting"),
        Place("portal-delete", "/platform/delete-portal"),
        Place("audit", "/audit"),
        Place("canned", "/canned"),
        Place("blocked", "/blocked"),
        Place("missing", "/there-is-no-such-page"),
    ]
