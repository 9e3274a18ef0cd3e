"""The console's API of a stack, as a story's test uses it."""

from __future__ import annotations

import json
from typing import Any

import httpx

from .stacks import Stack
from .waiting import wait_until


class ConsoleApi:
    """Calls with the stack's token; what is waited for is waited for a minute."""

    def __init__(self, stack: Stack) -> None:
        self._url = stack.api_url
        self._login = json.loads((stack.data / "admin-login.json").read_text())
        headers = {"Authorization": f"Bearer {stack.token}"}
        self._client = httpx.Client(base_url=stack.api_url, headers=headers, timeout=60, trust_env=False)

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
        return self._client.request(method, path, json=body, headers=headers)

    def get(self, path: str) -> Any:
        answer = self._client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, status: int, body: Any) -> Any:
        """The answer's JSON, None when it has none; anything but `status` fails."""
        answer = self.call("POST", path, body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def connect_gmail(self, address_id: str | None = None) -> str:
        """Google's page to send the browser to."""
        answer = self.call("POST", "/addresses/gmail/connect", {"address_id": address_id} if address_id else {})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["authorize_url"])

    def sent_on_to(self, url: str) -> httpx.URL:
        """Where the administrator's browser is sent on to when it opens `url`."""
        with httpx.Client(timeout=60, trust_env=False) as browser:
            browser.post(f"{self._url}/session", json=self._login)
            answer = browser.get(url)
        assert answer.status_code == 303, answer.text
        return httpx.URL(url).join(answer.headers["location"])

    def ticket(self, subject: str, messages: int = 1) -> dict[str, Any]:
        """The ticket with this subject, once it has so many messages."""

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
        """The address, once it is in this state."""

        def look() -> dict[str, Any]:
            address = dict(self.get(f"/addresses/{address_id}"))
            assert address["state"] == state, address
            return address

        return wait_until(look, 60, what=f"the address being {state}")

    def wait_for_forwarding(self, address_id: str) -> None:
        """Until the forwarding of an SMTP address is confirmed."""

        def confirmed() -> bool:
            address = self.get(f"/addresses/{address_id}")
            assert address["state"] != "needs_attention", address
            return "confirmed" in str(address["forwarding"])

        wait_until(confirmed, 60, what="the forwarding's confirmation")

    def wait_for_delivery(self, ticket_id: str, state: str) -> dict[str, Any]:
        """The ticket's last outgoing message, once its delivery is in this state."""

        def look() -> dict[str, Any] | None:
            out = [m for m in self.get(f"/tickets/{ticket_id}")["messages"] if m["direction"] == "out"]
            return dict(out[-1]) if out and out[-1]["delivery"]["state"] == state else None

        found = wait_until(look, 60, what=f"delivery {state}")
        assert found is not None
        return found
