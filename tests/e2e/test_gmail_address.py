"""The story of a Gmail address: connected at Google, read, answered in its thread, revoked and connected again."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import httpx
import pytest
from support.console_api import ConsoleApi
from support.gmail_emulator import Emulator, google_env, mail
from support.gmail_proxy import Proxy
from support.stacks import Stack
from support.waiting import wait_until

SHOP, OTHER = "shop@gmail.example", "other@gmail.example"
CUSTOMER = "jo@customer.example"
SEND = "https://www.googleapis.com/auth/gmail.send"


@pytest.fixture
def google(tmp_path: Path) -> Iterator[Proxy]:
    emulator = Emulator(tmp_path / "google", [SHOP, OTHER], ["http://127.0.0.1/oauth/google/callback"])
    yield Proxy(emulator)
    emulator.stop()


@pytest.fixture
def stack(tmp_path: Path, google: Proxy) -> Iterator[Stack]:
    made = Stack(tmp_path, env={})
    callback = f"http://127.0.0.1:{made.port(8080)}/oauth/google/callback"
    google.emulator.allow(callback)
    google.emulator.start()
    with google:
        made.env |= google_env(google.origin, google.emulator.origin)
        made.env |= {"MAILROOM_GMAIL_POLL_S": "1", "MAILROOM_GMAIL_IDLE_POLL_S": "2"}
        up = made.call("up")
        assert up.returncode == 0, up.stdout[-3000:] + up.stderr[-3000:]
        yield made
        made.remove()


@pytest.mark.timeout(420)
def test_a_gmail_address_from_connecting_to_reconnecting(stack: Stack, google: Proxy) -> None:
    api, gmail = ConsoleApi(stack), google.emulator
    gmail.deliver(SHOP, mail("before", CUSTOMER, SHOP))

    # a permission left unchecked is named, and nothing is connected
    back = api.sent_on_to(gmail.consent(api.connect_gmail(), SHOP, without=[SEND]))
    assert "send replies" in str(back.params.get("oauth_error")), back
    assert not [a for a in api.get("/addresses")["items"] if a["kind"] == "gmail"]

    url = api.connect_gmail()
    asked = httpx.URL(url).params
    assert (asked["access_type"], asked["code_challenge_method"]) == ("offline", "S256")
    where = gmail.consent(url, SHOP)
    back = api.sent_on_to(where)
    assert back.path == "/addresses"
    assert "oauth_error" not in back.params
    assert "oauth_error" in api.sent_on_to(where).params, "the way back works once"
    address = next(a for a in api.get("/addresses")["items"] if a["email"] == SHOP)
    assert (address["state"], address["queue_id"]) == ("not_configured", None)
    assert "token" not in str(address)

    queue = api.post("/queues", 201, {"name": "Shop", "agent_ids": []})
    gmail.deliver(SHOP, mail("early", CUSTOMER, SHOP, subject="Asked before Update"))
    updated = api.call("PATCH", f"/addresses/{address['id']}", {"queue_id": queue["id"], "full_name": "The Shop"})
    assert updated.status_code == 200, updated.text
    assert updated.json()["state"] == "active"
    api.ticket("Asked before Update")

    question = gmail.deliver(SHOP, mail(1, f"Jo <{CUSTOMER}>", SHOP, subject="Blue shoes", text="Do you have them?"))
    ticket = api.ticket("Blue shoes")
    assert (ticket["address_id"], ticket["queue_id"]) == (address["id"], queue["id"])
    for _ in range(2):
        answer = api.call("POST", f"/tickets/{ticket['id']}/replies", {"text": "We do."}, {"Idempotency-Key": "r1"})
        assert answer.status_code == 202, answer.text
    (sent,) = wait_until(lambda: gmail.messages(SHOP, "SENT"), 60, what="the reply in Gmail's Sent folder")
    assert sent["threadId"] == question["threadId"]
    reply = message_from_bytes(sent["source"], policy=policy.default)
    assert SHOP in reply["From"]
    assert "The Shop" in reply["From"]
    assert CUSTOMER in reply["To"]
    assert "m1." in str(reply["In-Reply-To"])
    api.wait_for_delivery(ticket["id"], "sent")

    gmail.deliver(SHOP, mail(2, f"Jo <{CUSTOMER}>", SHOP, subject="Re: Blue shoes", text="Size 44 please.",
                             answers=str(reply["Message-ID"])), threadId=sent["threadId"])  # fmt: skip
    ticket = api.ticket("Blue shoes", messages=3)
    assert [m["direction"] for m in ticket["messages"]] == ["in", "out", "in"]

    gmail.write(SHOP, mail("hand", SHOP, CUSTOMER, subject="Re: Blue shoes", text="Written in Gmail itself.",
                           answers="<m2.Jo@customer.example>"), sent["threadId"])  # fmt: skip
    ticket = api.ticket("Blue shoes", messages=4)
    assert [m["direction"] for m in ticket["messages"]] == ["in", "out", "in", "out"]
    assert ticket["messages"][-1]["kind"] == "external_reply"
    assert "Written in Gmail itself" in ticket["messages"][-1]["text"]

    big = {"filename": "film.mp4", "content_type": "video/mp4", "content_base64": "AAAA" * 6_600_000}
    refused = api.call("POST", f"/tickets/{ticket['id']}/replies", {"text": "x", "attachments": [big]},
                       {"Idempotency-Key": "big"})  # fmt: skip
    assert (refused.status_code, refused.json()["code"]) == (413, "too_large_for_gmail")

    google.revoke(SHOP)
    address = api.wait_for_state(address["id"], "needs_attention")
    assert "revoked" in address["state_reason"]
    assert address["state_since"]
    gmail.deliver(SHOP, mail("late", CUSTOMER, SHOP, subject="While away"))

    # another account than the one to reconnect
    other = api.sent_on_to(gmail.consent(api.connect_gmail(address["id"]), OTHER))
    assert SHOP in str(other.params.get("oauth_error"))
    back = api.sent_on_to(gmail.consent(api.connect_gmail(address["id"]), SHOP))
    assert "oauth_error" not in back.params
    again = api.wait_for_state(address["id"], "active")
    assert again["revision"] > address["revision"]
    api.ticket("While away")
    assert [t["subject"] for t in api.get("/tickets")["items"]].count("Blue shoes") == 1
    assert len(api.ticket("Blue shoes", messages=4)["messages"]) == 4

    gone = api.call("POST", f"/addresses/{address['id']}/disconnect")
    assert gone.status_code == 200, gone.text
    assert gone.json()["state"] == "disconnected"
    assert any(path == "/oauth2/revoke" for _, _, path in google.calls)
