"""Google for tests: the npm emulator `emulate`, installed on first use, and mail put into its inboxes."""

from __future__ import annotations

import base64
import fcntl
import json
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx
from mailroom_gmail import oauth

from .authorities import as_given
from .processes import REPOSITORY, Process, free_port, port_open
from .waiting import wait_until

HERE = REPOSITORY / "deploy" / "local" / "emulate"
CACHE = REPOSITORY / ".cache" / "npm-emulate"
CLIENT_ID, CLIENT_SECRET = "mailroom.apps", "s3cret"
ME = "/gmail/v1/users/me"


def installed() -> Path:
    """The emulator's entry file; one process installs it, others wait."""
    CACHE.mkdir(parents=True, exist_ok=True)
    entry = CACHE / "node_modules" / "emulate" / "dist" / "index.js"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        current = CACHE / "package-lock.json"
        if not entry.exists() or current.read_text() != (HERE / "package-lock.json").read_text():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, CACHE / name)
            subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
                cwd=CACHE,
                env=as_given(),
                check=True,
                timeout=180,
            )
    return entry


class Emulator(Process):
    """A running emulator with these accounts. `origin` is its own address; faults come from a proxy before it."""

    def __init__(
        self, folder: Path, emails: Iterable[str], redirect_uris: Sequence[str] = ("http://127.0.0.1/x",)
    ) -> None:
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.emails = list(emails)
        self._tokens: dict[str, str] = {}
        self._folder, self._redirect_uris = folder, list(redirect_uris)
        self.redirect_uri = redirect_uris[0]
        folder.mkdir(parents=True, exist_ok=True)
        command = ["node", str(installed()), "start", "-s", "google", "--seed", "seed.json", "-p", str(self.port)]
        super().__init__(["sh", "-c", f"cd {folder} && exec {' '.join(command)}"], folder / "emulate.log")
        # Node closes idle connections after 5 s: none is used that is about to be closed
        limits = httpx.Limits(keepalive_expiry=2)
        self.http = httpx.Client(base_url=self.origin, timeout=30, trust_env=False, limits=limits)

    def allow(self, redirect_uri: str) -> None:
        """Register one more way back, before the start."""
        self._redirect_uris.append(redirect_uri)

    def start(self) -> Self:
        seed = {
            "google": {
                "users": [{"email": e, "name": e.partition("@")[0].title(), "email_verified": True} for e in self.emails],
                "oauth_clients": [
                    {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "name": "Mailroom",
                     "redirect_uris": self._redirect_uris}
                ],
            }
        }  # fmt: skip
        (self._folder / "seed.json").write_text(json.dumps(seed))
        self.launch()

        def up() -> bool:
            assert self.running, self.tail()
            return port_open(self.port)

        wait_until(up, 30, what="the Gmail emulator")
        return self

    def stop(self) -> None:
        self.http.close()
        self.kill()

    # what people do in Gmail

    def deliver(self, to: str, raw: bytes, labels: Sequence[str] = ("INBOX", "UNREAD"), **more: Any) -> dict[str, Any]:
        """A mail that lies in the account's mailbox from now on: the message as Gmail gives it."""
        body = {"raw": base64.urlsafe_b64encode(raw).decode(), "labelIds": list(labels), **more}
        return self.call(to, "POST", f"{ME}/messages", json=body)

    def write(self, email: str, raw: bytes, thread_id: str | None = None) -> dict[str, Any]:
        """Somebody writes a mail in Gmail itself."""
        body: dict[str, Any] = {"raw": base64.urlsafe_b64encode(raw).decode()}
        if thread_id:
            body["threadId"] = thread_id
        return self.call(email, "POST", f"{ME}/messages/send", json=body)

    def relabel(self, email: str, message_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        self.call(email, "POST", f"{ME}/messages/{message_id}/modify",
                  json={"addLabelIds": list(add), "removeLabelIds": list(remove)})  # fmt: skip

    def messages(self, email: str, label: str | None = None) -> list[dict[str, Any]]:
        """The account's messages with their raw sources (bytes, as `source`), newest first."""
        found: list[dict[str, Any]] = []
        page: str | None = None
        while True:
            params: dict[str, Any] = {"maxResults": 500} | ({"labelIds": label} if label else {})
            answer = self.call(email, "GET", f"{ME}/messages", params=params | ({"pageToken": page} if page else {}))
            for each in answer["messages"]:
                message = self.call(email, "GET", f"{ME}/messages/{each['id']}", params={"format": "raw"})
                padded = message["raw"] + "=" * (-len(message["raw"]) % 4)
                found.append(message | {"source": base64.urlsafe_b64decode(padded)})
            page = answer.get("nextPageToken")
            if page is None:
                return found

    def call(self, email: str, method: str, path: str, **more: Any) -> dict[str, Any]:
        """A call as this account, past every fault."""
        if email not in self._tokens:
            self._tokens[email] = self.tokens(email)["access_token"]
        answer = self.http.request(method, path, headers={"Authorization": f"Bearer {self._tokens[email]}"}, **more)
        assert answer.status_code < 300, (path, answer.status_code, answer.text)
        return dict(answer.json()) if answer.content else {}

    # signing in

    def tokens(self, email: str, scopes: Iterable[str] = tuple(oauth.SCOPES)) -> dict[str, Any]:
        """Tokens as the sign-in gives them."""
        form = {"email": email, "redirect_uri": self.redirect_uri, "scope": " ".join(scopes), "state": "s",
                "client_id": CLIENT_ID}  # fmt: skip
        back = self.http.post("/o/oauth2/v2/auth/callback", data=form)
        code = parse_qs(urlsplit(back.headers["location"]).query)["code"][0]
        answer = self.http.post(
            "/oauth2/token",
            data={"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri,
                  "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def consent(self, authorize_url: str, email: str, *, without: Iterable[str] = ()) -> str:
        """What a person does on Google's page: picks the account, allows all but `without`. Where the browser goes."""
        page = self.http.get(authorize_url)
        assert page.status_code == 200, page.text[:500]
        assert email in page.text, "the account is not offered"
        asked = {key: values[0] for key, values in parse_qs(urlsplit(authorize_url).query).items()}
        asked["scope"] = " ".join(s for s in asked["scope"].split() if s not in set(without))
        back = self.http.post(f"{self.origin}/o/oauth2/v2/auth/callback", data={**asked, "email": email})
        assert back.status_code == 302, back.text[:500]
        return str(back.headers["location"])


def mail(
    number: int | str, sender: str, to: str, *, subject: str | None = None, text: str | None = None,
    answers: str | None = None, headers: dict[str, str] | None = None,
) -> bytes:  # fmt: skip
    """A plain mail; `number` tells mails apart."""
    made = EmailMessage()
    made["From"], made["To"] = sender, to
    made["Subject"] = subject if subject is not None else f"Question {number}"
    made["Message-ID"] = f"<m{number}.{sender.partition('@')[0].replace(' ', '')}@customer.example>"
    if answers:
        made["In-Reply-To"] = made["References"] = answers
    for name, value in (headers or {}).items():
        made[name] = value
    made.set_content(text if text is not None else f"This is question {number}.")
    return made.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def google_env(api: str, auth: str | None = None) -> dict[str, str]:
    """The settings that point Mailroom there; `auth` is where the browser goes, when that is another address."""
    return {
        "MAILROOM_GOOGLE_API_URL": f"{api}/",
        "MAILROOM_GOOGLE_AUTH_URL": f"{auth or api}/o/oauth2/v2/auth",
        "MAILROOM_GOOGLE_TOKEN_URL": f"{api}/oauth2/token",
        "MAILROOM_GOOGLE_CLIENT_ID": CLIENT_ID,
        "MAILROOM_GOOGLE_CLIENT_SECRET": CLIENT_SECRET,
    }
