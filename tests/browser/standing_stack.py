"""The stack that browser tests work on: its console, API, SMTP port and mailbox, with what a test puts into it."""

from __future__ import annotations

import contextlib
import json
import mimetypes
import secrets
import smtplib
from collections.abc import Iterator, Mapping
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import psutil
from playwright.sync_api import Browser, BrowserContext, Page
from support.gmail_proxy import Proxy
from support.mailserver import MailServer
from support.sign_in_servers import SignInServers
from support.waiting import wait_until

from .chromium import Troubles, new_context


class StandingStack:
    """A running stack, known by its data folder."""

    def __init__(
        self, data: Path, google: Proxy | None = None, microsoft: SignInServers | None = None,
        exchange: MailServer | None = None,
    ) -> None:  # fmt: skip
        self.data = data
        self._google, self._microsoft, self._exchange = google, microsoft, exchange
        self.ports: dict[str, int] = json.loads((data / "run" / "ports.json").read_text())
        self.url = f"http://127.0.0.1:{self.ports['console']}"
        login = json.loads((data / "admin-login.json").read_text())
        self.email, self.password = login["email"], login["password"]
        token = (data / "api-token").read_text().strip()
        self.api = httpx.Client(base_url=f"{self.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=30)

    @property
    def google(self) -> Proxy:
        """Google, as this stack sees it. The stack that MAILROOM_BROWSER_STACK names has none."""
        assert self._google is not None, "this test needs the stack that the tests start themselves"
        return self._google

    @property
    def microsoft(self) -> SignInServers:
        """Microsoft's sign-in, as this stack sees it."""
        assert self._microsoft is not None, "this test needs the stack that the tests start themselves"
        return self._microsoft

    @property
    def exchange(self) -> MailServer:
        """The mail server that takes Microsoft's tokens."""
        assert self._exchange is not None, "this test needs the stack that the tests start themselves"
        return self._exchange

    # what stands in it

    def call(self, method: str, path: str, status: int = 200, **json_body: Any) -> Any:
        """One API request; its answer, which must have that status (or another 2xx when 200 is given)."""
        answer = self.api.request(method, path, json=json_body or None)
        assert answer.status_code == status or (status == 200 and answer.is_success), (path, answer.text)
        return answer.json() if answer.content else None

    def queue(self, name: str = "Support") -> dict[str, Any]:
        items = self.call("GET", "/queues")["items"]
        return next(queue for queue in items if queue["name"] == name)

    def tickets(self, **query: str) -> list[dict[str, Any]]:
        return list(self.api.get("/tickets", params=query).json()["items"])

    def ticket(self, subject: str, messages: int = 1, *, sender: str = "", timeout: float = 40) -> dict[str, Any]:
        """The newest ticket of that subject (and customer), once it has so many messages."""

        def look() -> dict[str, Any] | None:
            for ticket in [*self.tickets(), *self.tickets(q=subject)]:
                if sender not in ("", ticket["customer"]["email"]):
                    continue
                if ticket["subject"] == subject and ticket["message_count"] >= messages:
                    return dict(self.call("GET", f"/tickets/{ticket['id']}"))
            return None

        found = wait_until(look, timeout, every=0.2, what=f"a ticket {subject!r} with {messages} messages")
        assert found is not None
        return found

    def add_internal(self, local: str, **more: Any) -> dict[str, Any]:
        """An internal address by the API."""
        return self._add_address(**{"kind": "internal", "local_part": local, "queue_id": self.queue()["id"], **more})

    def _add_address(self, **given: Any) -> dict[str, Any]:
        """An address that whoever takes mail and gives it a ticket knows of: a mail sent at once is treated as its own."""
        before = {port: self._addresses_known(port) for port in (self.ports["health"] + n for n in (0, 2))}
        made = dict(self.call("POST", "/addresses", 201, **given))
        for port, count in before.items():
            wait_until(lambda: self._addresses_known(port) > count, 20, every=0.05, what="an address known to services")  # noqa: B023
        return made

    @staticmethod
    def _addresses_known(health_port: int) -> float:
        for line in httpx.get(f"http://127.0.0.1:{health_port}/metrics", timeout=10).text.splitlines():
            if line.startswith('mailroom_config_rows{topic="addresses"}'):
                return float(line.split()[-1])
        return 0.0

    def add_queue(self, name: str, agent_ids: list[str]) -> dict[str, Any]:
        return dict(self.call("POST", "/queues", 201, name=name, agent_ids=agent_ids))

    def add_agent(self, name: str, role: str = "agent", queue_ids: list[str] | None = None) -> Agent:
        """An agent with a password, ready to sign in."""
        password = f"long enough {secrets.token_hex(6)}"
        email = f"{name.split()[0].lower()}-{secrets.token_hex(3)}@acme.example"
        made = self.call("POST", "/agents", 201, email=email, name=name, role=role, queue_ids=queue_ids or [],
                         password=password)  # fmt: skip
        return Agent(made["id"], email, password, name)

    # mail

    def send(self, message: EmailMessage | bytes, sender: str, to: str) -> None:
        """Hand a mail to the intake, as any server would."""
        raw = message if isinstance(message, bytes) else message.as_bytes()
        with smtplib.SMTP("127.0.0.1", self.ports["smtp"], timeout=20) as client:
            client.sendmail(sender, [to], raw)

    def write(
        self, subject: str, text: str = "Hello", *, to: str, sender: str = "Jo Miller <jo@customer.example>",
        html: str | None = None, files: Mapping[str, bytes] | None = None, **headers: str,
    ) -> EmailMessage:  # fmt: skip
        """Write and send a mail; `files` by their names."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = sender, to, subject
        mail["Message-ID"] = f"<{secrets.token_hex(8)}@customer.example>"
        mail["Date"] = "Tue, 24 Nov 2026 11:00:00 +0000"
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(text)
        if html is not None:
            mail.add_alternative(html, subtype="html")
        for name, content in (files or {}).items():
            kind, _, sub = (mimetypes.guess_type(name)[0] or "application/octet-stream").partition("/")
            mail.add_attachment(content, maintype=kind, subtype=sub, filename=name)
        self.send(mail, sender.rpartition("<")[2].rstrip(">"), to)
        return mail

    def forwarded(self, subject: str, text: str, headers: dict[str, str], sender: str) -> None:
        """A mail to an SMTP address as the provider forwards it to support@acme.example."""
        mail = EmailMessage()
        for name, value in {"From": sender, **headers, "Subject": subject}.items():
            mail[name] = value
        mail["Message-ID"] = f"<{secrets.token_hex(8)}@customer.example>"
        mail["Date"] = "Tue, 24 Nov 2026 11:00:00 +0000"
        mail.set_content(text)
        self.send(mail, sender.rpartition("<")[2].rstrip(">"), "support@acme.example")

    def mailbox(self, subject: str, to: str = "", timeout: float = 30) -> dict[str, Any]:
        """A mail that Mailroom sent to the world, by a part of its subject."""
        url = f"http://127.0.0.1:{self.ports['mailbox']}/messages"

        def look() -> dict[str, Any] | None:
            found = httpx.get(url, timeout=10).json()
            items = found if isinstance(found, list) else found["items"]
            return next((mail for mail in items if subject in mail["subject"] and to in str(mail["to"])), None)

        mail = wait_until(look, timeout, every=0.2, what=f"a mail about {subject!r} in the mailbox")
        assert mail is not None
        return mail

    def provider(self, mode: str, to: str = "") -> None:
        """How the mailbox, which stands for the provider's server too, answers: accept, refuse, defer or login."""
        url = f"http://127.0.0.1:{self.ports['mailbox']}/behaviour"
        httpx.post(url, json={"mode": mode, "to": to}, timeout=10).raise_for_status()

    def letter(self, letter_id: int) -> bytes:
        """A mail of the mailbox, byte for byte."""
        return httpx.get(f"http://127.0.0.1:{self.ports['mailbox']}/messages/{letter_id}/raw", timeout=10).content

    def add_smtp(self, email: str, queue_id: str, forwards_to: str, **more: Any) -> dict[str, Any]:
        """An SMTP address whose provider is the mailbox, by the API."""
        smtp = {"host": "127.0.0.1", "port": self.ports["mailbox_smtp"], "tls": "none"}
        return self._add_address(kind="smtp", email=email, password="right", smtp=smtp, queue_id=queue_id,
                                 forwards_to=forwards_to, **more)  # fmt: skip

    # outages

    @contextlib.contextmanager
    def kafka_away(self) -> Iterator[None]:
        """Kafka takes what it is sent and answers nothing, inside; after it all services are ready."""
        brokers = [each for each in psutil.process_iter(["cmdline"])
                   if (line := each.info["cmdline"] or [""]) and line[-1].startswith(f"{self.data}/kafka/")]  # fmt: skip
        assert brokers, "no broker of this stack"
        for broker in brokers:
            broker.suspend()
        try:
            yield
        finally:
            for broker in brokers:
                broker.resume()
        urls = [f"http://127.0.0.1:{self.ports['health'] + place}/ready" for place in range(7)]
        wait_until(
            lambda: all(httpx.get(url, timeout=5).is_success for url in urls), 60, what="all services being ready"
        )

    # browsers

    def sign_in(self, context: BrowserContext, email: str = "", password: str = "") -> Page:
        """A page of somebody signed in (the administrator by default)."""
        page = context.new_page()
        page.goto("/sign-in")
        page.fill("#f-email", email or self.email)
        page.fill("#f-password", password or self.password)
        page.click("form[action='/sign-in'] button")
        page.wait_for_url("**/tickets*")
        return page

    def desk(
        self,
        browser: Browser,
        who: Agent | None = None,
        size: str = "desktop",
        scheme: str = "light",
        language: str = "en-US",
    ) -> tuple[Page, Troubles]:
        """A signed-in page in a profile of its own, watched for troubles."""
        context = new_context(browser, self.url, size, scheme, language=language)
        troubles = Troubles()
        context.on("page", lambda page: troubles.watch(page, self.url))
        return self.sign_in(context, who.email if who else "", who.password if who else ""), troubles


class Agent:
    """Somebody who can sign in."""

    def __init__(self, agent_id: str, email: str, password: str, name: str) -> None:
        self.id, self.email, self.password, self.name = agent_id, email, password, name
