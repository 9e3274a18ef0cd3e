"""The story of an SMTP address: added with a real login, its mail forwarded to us, answered through its own server."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.console_api import ConsoleApi
from support.mailserver import MailServer
from support.stacks import Stack
from support.waiting import wait_until

SALES = "sales@shop.example"
CUSTOMER = "jo@customer.example"


@pytest.fixture
def shop() -> Iterator[MailServer]:
    """The customer company's own server: users with passwords at shop.example, and the mailbox of jo."""
    with MailServer({SALES: "right horse", CUSTOMER: "x"}, domains=("shop.example", "customer.example")) as server:
        yield server


@pytest.fixture
def stack(tmp_path: Path, shop: MailServer) -> Iterator[Stack]:
    made = Stack(tmp_path, env={"MAILROOM_SMTP_CA_FILE": str(shop.ca_file)})
    up = made.call("up")
    assert up.returncode == 0, up.stdout[-3000:] + up.stderr[-3000:]
    yield made
    made.remove()


@pytest.mark.slow
@pytest.mark.timeout(420)
@pytest.mark.parametrize(
    "rewrite",
    [pytest.param(False, id="envelope-kept"), pytest.param(True, id="envelope-rewritten", marks=pytest.mark.slow)],
)
def test_an_smtp_address_from_adding_it_to_the_customers_next_answer(
    stack: Stack, shop: MailServer, rewrite: bool
) -> None:
    api = ConsoleApi(stack)
    support = next(a for a in api.get("/addresses")["items"] if a["email"] == "support@acme.example")
    sales_queue = api.post("/queues", 201, {"name": "Sales", "agent_ids": []})
    new = {
        "kind": "smtp",
        "email": SALES,
        "full_name": "The Shop",
        "queue_id": sales_queue["id"],
        "smtp": {"host": shop.host, "port": shop.port, "tls": "starttls", "username": SALES},
        "forwards_to": support["id"],
    }

    refused = api.call("POST", "/addresses", new | {"password": "wrong horse"})
    assert refused.status_code == 422
    assert (refused.json()["code"], refused.json()["reason"]) == ("smtp_check_failed", "login_refused")
    assert "refused" in refused.json()["detail"]
    assert "wrong horse" not in refused.text

    address = api.post("/addresses", 201, new | {"password": "right horse"})
    assert address["smtp"]["tls"] == "starttls"
    assert "right horse" not in str(address)

    shop.route("acme.example", stack.port(2525))
    shop.forward(SALES, "support@acme.example", rewrite=rewrite)
    api.post(f"/addresses/{address['id']}/check-forwarding", 202, {})
    carry_probe(stack, shop)
    api.wait_for_forwarding(address["id"])

    first = write(shop, to=SALES, subject="Blue shoes", text="Do you have them?")
    ticket = api.ticket("Blue shoes")
    assert (ticket["address_id"], ticket["queue_id"]) == (address["id"], sales_queue["id"])

    answer = api.call(
        "POST", f"/tickets/{ticket['id']}/replies", {"text": "We do, in all sizes."}, {"Idempotency-Key": "r1"}
    )
    assert answer.status_code == 202, answer.text
    again = api.call(
        "POST", f"/tickets/{ticket['id']}/replies", {"text": "We do, in all sizes."}, {"Idempotency-Key": "r1"}
    )
    assert again.json()["message_id"] == answer.json()["message_id"]

    arrived = wait_until(lambda: shop.mailbox(CUSTOMER), 60, what="the reply in jo's mailbox")
    assert len(arrived) == 1
    reply = message_from_bytes(arrived[0], policy=policy.default)
    assert SALES in reply["From"]
    assert first in str(reply["In-Reply-To"])
    assert first in str(reply["References"])
    body = reply.get_body(("plain",))
    assert body is not None
    assert "We do, in all sizes." in body.get_content()
    sent = api.wait_for_delivery(ticket["id"], "sent")
    assert sent["delivery"]["reason"] or sent["delivery"].get("server_reply")

    write(shop, to=SALES, subject="Re: Blue shoes", text="Size 44 please.", answers=reply["Message-ID"])
    after = api.ticket("Blue shoes", messages=3)
    assert after["id"] == ticket["id"]
    assert [m["direction"] for m in after["messages"]] == ["in", "out", "in"]

    write(shop, to="support@acme.example", subject="Straight to support", text="Hello")
    direct = api.ticket("Straight to support")
    assert direct["address_id"] == support["id"]
    closed = api.call("POST", f"/tickets/{direct['id']}/replies", {"text": "x"}, {"Idempotency-Key": "r2"})
    assert (closed.status_code, closed.json()["code"]) == (409, "receive_only")


def carry_probe(stack: Stack, shop: MailServer) -> None:
    """The platform's relay is the local mailbox, which keeps what it gets: bring the probe to the shop's server."""
    mailbox = f"http://127.0.0.1:{stack.port(8026)}"

    def look() -> list[dict[str, Any]]:
        return list(httpx.get(f"{mailbox}/messages", params={"to": SALES}, timeout=10).json())

    probe = wait_until(look, 60, what="the probe")[0]
    with smtplib.SMTP(shop.host, shop.port, timeout=30) as client:
        client.sendmail("support@acme.example", [SALES], probe["raw"].encode())


def write(shop: MailServer, *, to: str, subject: str, text: str, answers: str | None = None) -> str:
    """Jo writes a mail through the shop's server (which hosts customer.example too); its Message-ID."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"Jo Customer <{CUSTOMER}>", to, subject
    mail["Message-ID"] = f"<{subject.replace(' ', '-').replace(':', '')}@customer.example>"
    if answers:
        mail["In-Reply-To"] = mail["References"] = answers
    mail.set_content(text)
    with smtplib.SMTP(shop.host, shop.port, timeout=30) as client:
        client.send_message(mail, CUSTOMER, [to])
    return str(mail["Message-ID"])
