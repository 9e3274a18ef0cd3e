"""The story of a Gmail address: connected at Google, read, answered in its thread, revoked and connected again."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
import pytest
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
    api, gmail = Api(stack), google.emulator
    gmail.deliver(SHOP, mail("before", CUSTOMER, SHOP))

    # a permission left unchecked is named, and nothing is connected
    back = api.browser(gmail.consent(api.connect(), SHOP, without=[SEND]))
    assert "send replies" in str(back.url.params.get("oauth_error")), back.url
    assert not [a for a in api.get("/addresses")["items"] if a["kind"] == "gmail"]

    url = api.connect()
    asked = httpx.URL(url).params
    assert (asked["access_type"], asked["code_challenge_method"]) == ("offline", "S256")
    where = gmail.consent(url, SHOP)
    back = api.browser(where)
    assert back.url.path == "/addresses"
    assert "oauth_error" not in back.url.params
    assert "oauth_error" in api.browser(where).url.params, "the way back works once"
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
    other = api.browser(gmail.consent(api.connect(address["id"]), OTHER))
    assert SHOP in str(other.url.params.get("oauth_error"))
    back = api.browser(gmail.consent(api.connect(address["id"]), SHOP))
    assert "oauth_error" not in back.url.params
    again = api.wait_for_state(address["id"], "active")
    assert again["revision"] > address["revision"]
    api.ticket("While away")
    assert [t["subject"] for t in api.get("/tickets")["items"]].count("Blue shoes") == 1
    assert len(api.ticket("Blue shoes", messages=4)["messages"]) == 4

    gone = api.call("POST", f"/addresses/{address['id']}/disconnect")
    assert gone.status_code == 200, gone.text
    assert gone.json()["state"] == "disconnected"
    assert any(path == "/oauth2/revoke" for _, _, path in google.calls)


class Api:
    """The console's API of a stack, and the browser of whoever connects."""

    def __init__(self, stack: Stack) -> None:
        headers = {"Authorization": f"Bearer {stack.token}"}
        self._client = httpx.Client(base_url=stack.api_url, headers=headers, timeout=60, trust_env=False)

    def connect(self, address_id: str | None = None) -> str:
        answer = self.call("POST", "/addresses/gmail/connect", {"address_id": address_id} if address_id else {})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["authorize_url"])

    def browser(self, url: str) -> httpx.Response:
        """Where the browser is sent on to (the page itself asks to sign in)."""
        answer = httpx.get(url, timeout=60, trust_env=False)
        assert answer.status_code == 303, answer.text
        return httpx.Response(303, request=httpx.Request("GET", httpx.URL(url).join(answer.headers["location"])))

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
        return self._client.request(method, path, json=body, headers=headers)

    def get(self, path: str) -> Any:
        answer = self._client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, status: int, body: Any) -> Any:
        answer = self.call("POST", path, body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def ticket(self, subject: str, messages: int = 1) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            for item in self.get("/tickets")["items"]:
                if item["subject"] == subject:
                    ticket = dict(self.get(f"/tickets/{item['id']}"))
                    return ticket if len(ticket["messages"]) >= messages else None
            return None

        found = wait_until(look, 60, what=f"the ticket {subject!r} with {messages} messages")
        assert found is not None
        return found

    def wait_for_state(self, address_id: str, state: str) -> dict[str, Any]:
        def look() -> dict[str, Any]:
            address = dict(self.get(f"/addresses/{address_id}"))
            assert address["state"] == state, address
            return address

        return wait_until(look, 60, what=f"the address being {state}")

    def wait_for_delivery(self, ticket_id: str, state: str) -> None:
        def look() -> bool:
            out = [m for m in self.get(f"/tickets/{ticket_id}")["messages"] if m["direction"] == "out"]
            return bool(out) and out[-1]["delivery"]["state"] == state

        wait_until(look, 60, what=f"delivery {state}")
