"""One real stack and one real browser for all browser tests. Each test adds queues, agents and addresses of its own.

Both end with the last of these tests (hence a package): Playwright keeps an event loop running in this thread as long as
it is open, and no asyncio test can run beside it.

`MAILROOM_BROWSER_STACK` names the data folder of a stack that runs already, for quick work on one test.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from support.gmail_emulator import Emulator, google_env
from support.gmail_proxy import Proxy
from support.mailserver import MailServer
from support.sign_in_servers import SignInServers
from support.stacks import Stack

from browser.chromium import chromium
from browser.standing_stack import StandingStack

MICROSOFT_ACCOUNT = "help@lamps.example"
GOOGLE_ACCOUNTS = ("help.desk@gmail.example", "somebody.else@gmail.example")


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingStack]:
    """The running stack."""
    given = os.environ.get("MAILROOM_BROWSER_STACK")
    if given:
        yield StandingStack(Path(given))
        return
    folder = tmp_path_factory.mktemp("browser")
    stack = Stack(folder)
    back = f"http://127.0.0.1:{stack.port(8080)}/oauth/google/callback"
    emulator = Emulator(folder / "google", GOOGLE_ACCOUNTS, [back]).start()
    signing_in = SignInServers(folder / "signin", [MICROSOFT_ACCOUNT], [back.replace("google", "microsoft")])
    try:
        with (
            Proxy(emulator) as google,
            signing_in as microsoft,
            MailServer({MICROSOFT_ACCOUNT: "none"}, introspect_url=microsoft.front.introspect_url) as exchange,
        ):
            stack.env |= google_env(google.origin, auth=emulator.origin) | microsoft.env()
            stack.env |= {"MAILROOM_SMTP_CA_FILE": str(exchange.ca_file), "MAILROOM_LOGIN_RETRY_S": "[1, 2]"}
            up = stack.call("up", timeout=280)
            assert up.returncode == 0, up.stdout[-3000:] + up.stderr[-3000:]
            made = StandingStack(stack.data, google, microsoft, exchange)
            # but for the test of it, nobody waits to see a mail leave
            made.call("PATCH", "/portals/current", undo_send_s=0)
            yield made
    finally:
        stack.remove()
        emulator.stop()


@pytest.fixture(autouse=True)
def closed_windows(browser: Browser) -> Iterator[None]:
    """Whoever signed in during a test goes home after it."""
    yield
    for context in browser.contexts:
        context.close()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The running browser."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def shop(site: StandingStack) -> dict[str, Any]:
    """A queue with an SMTP address, whose mail arrives by forwarding, a signature and a canned answer."""
    tag = secrets.token_hex(3)
    queue = site.add_queue(f"Writers {tag}", [])
    inbox = next(a for a in site.call("GET", "/addresses")["items"] if a["email"] == "support@acme.example")
    made = site.add_smtp(
        f"writers-{tag}@lamps.example", queue["id"], inbox["id"], signature="{{agent.name}}\nLamps Ltd"
    )
    site.call("POST", "/canned", 201, name=f"hours {tag}", text="We open at nine.\nCome in!", queue_id=queue["id"])
    return {"queue": queue, "email": made["email"], "id": made["id"], "tag": tag}
