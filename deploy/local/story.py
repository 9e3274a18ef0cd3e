"""The story that `make demo` plays: one customer's mail, from SMTP to an answered ticket, every fact read back.

Nothing here prints. Each step does one thing to the running system and returns what the system then says about it.
"""

from __future__ import annotations

import secrets
import smtplib
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from typing import Any

import httpx

PATIENCE_S = 30.0
ADDRESS = "support@acme.example"


class StoryBroken(RuntimeError):
    """The system did not do what the story tells; the text says what was awaited and what is there instead."""


@dataclass(frozen=True)
class Customer:
    """A person of the outside world. Everybody gets one automatic reply a day: each telling has a customer of its own."""

    name: str
    email: str

    @classmethod
    def new(cls) -> Customer:
        return cls("Maria Sommer", f"maria.sommer.{secrets.token_hex(3)}@customer.example")


class Story:
    """The steps, against one running Mailroom: its API, its SMTP intake and the local mailbox."""

    def __init__(self, api_url: str, token: str, smtp: tuple[str, int], mailbox_url: str) -> None:
        self._api = httpx.Client(
            base_url=api_url, headers={"Authorization": f"Bearer {token}"}, timeout=15, trust_env=False
        )
        self._mailbox = httpx.Client(base_url=mailbox_url, timeout=15, trust_env=False)
        self._smtp = smtp
        self.customer = Customer.new()

    def opening(self) -> dict[str, Any]:
        """The address, its queue and that queue's first agent, who is then online: `{address, queue, agent}`."""
        address = self._one("/addresses", lambda a: a["email"] == ADDRESS, f"the address {ADDRESS}")
        queue = self._one("/queues", lambda q: q["id"] == address["queue_id"], f"the queue of {ADDRESS}")
        agent = self._one("/agents", lambda a: queue["id"] in a["queue_ids"], f"an agent of the queue {queue['name']}")
        self._call("PUT", f"/agents/{agent['id']}/presence", {"presence": "online"})

        def online() -> Any:
            found = self._call("GET", f"/agents/{agent['id']}")
            return found if found["presence"] == "online" else None

        return {"address": address, "queue": queue, "agent": self._await(online, f"{agent['name']} being online")}

    def first_mail(self) -> EmailMessage:
        """The customer writes; returned once the server has said 250."""
        mail = self._mail("My order has not arrived")
        mail.set_content("Hello,\n\norder 4711 should have been here on Friday. Where is it?\n\nMaria Sommer\n")
        return self._send(mail)

    def ticket(self) -> dict[str, Any]:
        """The customer's ticket with its messages, once it has an assignee."""

        def assigned() -> Any:
            found = self._tickets_of_customer()
            return self._call("GET", f"/tickets/{found[0]['id']}") if found and found[0].get("assignee_id") else None

        return dict(self._await(assigned, "the customer's ticket, assigned"))

    def auto_reply(self) -> dict[str, Any]:
        """The automatic reply as it lies in the customer's mailbox."""

        def arrived() -> Any:
            answer = self._mailbox.get("/messages", params={"to": self.customer.email})
            answer.raise_for_status()
            return next(iter(answer.json()), None)

        return dict(self._await(arrived, "the automatic reply in the customer's mailbox"))

    def second_mail(self, answered: dict[str, Any]) -> EmailMessage:
        """The customer answers that reply, as a mail program would."""
        headers = {name.lower(): value for name, value in answered["headers"].items()}
        mail = self._mail(f"Re: {headers['subject']}")
        mail["In-Reply-To"] = headers["message-id"]
        mail["References"] = f"{headers.get('references', '')} {headers['message-id']}".strip()
        mail.set_content("It has just arrived, but one item is missing.\n")
        return self._send(mail)

    def ticket_with(self, mail: EmailMessage) -> dict[str, Any]:
        """The ticket that holds this mail, whichever of the customer's it is."""
        wanted = str(mail["Message-ID"]).strip("<>")

        def holding() -> Any:
            for found in self._tickets_of_customer():
                ticket = self._call("GET", f"/tickets/{found['id']}")
                if any(str(m.get("message_id") or "").strip("<>") == wanted for m in ticket["messages"]):
                    return ticket
            return None

        return dict(self._await(holding, "the customer's second mail on a ticket"))

    def forbidden_reply(self, ticket: dict[str, Any]) -> dict[str, Any]:
        """An agent tries to answer from an address that only receives: `{status, code, detail}` of the refusal."""
        answer = self._api.post(
            f"/tickets/{ticket['id']}/replies",
            json={"text": "It is on its way."},
            headers={"Idempotency-Key": secrets.token_hex(16)},
        )
        body = answer.json()
        if answer.status_code < 400:
            raise StoryBroken(f"a reply from {ADDRESS} was taken ({answer.status_code}), although it only receives")
        return {
            "status": answer.status_code,
            "code": body.get("code"),
            "detail": body.get("detail") or body.get("title"),
        }

    def _tickets_of_customer(self) -> list[dict[str, Any]]:
        found = self._call("GET", "/tickets")["items"]
        return [one for one in found if one["customer"]["email"] == self.customer.email]

    def _mail(self, subject: str) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = f"{self.customer.name} <{self.customer.email}>"
        mail["To"] = ADDRESS
        mail["Subject"] = subject
        mail["Date"] = format_datetime(localtime())
        mail["Message-ID"] = make_msgid(domain="customer.example")
        return mail

    def _send(self, mail: EmailMessage) -> EmailMessage:
        """Real SMTP; a temporary refusal (a part not quite ready) is tried again, as any sender would."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with smtplib.SMTP(*self._smtp, timeout=15) as client:
                    client.send_message(mail, self.customer.email, [ADDRESS])
                return mail
            except (smtplib.SMTPException, OSError) as error:
                if time.monotonic() > deadline or not _temporary(error):
                    raise StoryBroken(f"the mail to {ADDRESS} was not taken: {error}") from error
                time.sleep(0.5)

    def _one(self, path: str, wanted: Callable[[Any], bool], what: str) -> dict[str, Any]:
        def found() -> Any:
            return next((one for one in self._call("GET", path)["items"] if wanted(one)), None)

        return dict(self._await(found, what))

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._api.request(method, path, json=body)
        if answer.status_code >= 400:
            raise StoryBroken(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else {}

    def _await(self, check: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while not (found := check()):
            if time.monotonic() > deadline:
                raise StoryBroken(f"{what}: not seen within {PATIENCE_S:g} s (see `make status` and `make logs`)")
            time.sleep(0.05)
        return found


def _temporary(error: Exception) -> bool:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code < 500 for code, _ in error.recipients.values())
    return isinstance(error, OSError) and getattr(error, "smtp_code", 400) < 500
