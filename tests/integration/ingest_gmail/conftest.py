"""An emulated Google with a proxy before it, for one test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mailroom_gmail import GmailClient, GoogleSettings
from pydantic import SecretStr
from support.gmail_desk import GmailDesk, gmail_desk
from support.gmail_emulator import CLIENT_ID, CLIENT_SECRET, Emulator
from support.gmail_proxy import Proxy

SHOP, DESK = "shop@gmail.example", "desk@gmail.example"


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    made = Emulator(tmp_path / "google", [SHOP, DESK]).start()
    yield made
    made.stop()


@pytest.fixture
def google(emulator: Emulator) -> Iterator[Proxy]:
    with Proxy(emulator) as proxy:
        yield proxy


ClientMaker = Callable[..., GmailClient]


@pytest.fixture
def client_for(google: Proxy) -> Iterator[ClientMaker]:
    """client_for(email, **settings): a client through the proxy."""
    made: list[GmailClient] = []

    def make(email: str = SHOP, token: str | None = None, **settings: Any) -> GmailClient:
        values: dict[str, Any] = {
            "api_url": google.origin, "token_url": f"{google.origin}/oauth2/token", "client_id": CLIENT_ID,
            "client_secret": SecretStr(CLIENT_SECRET), "timeout_s": 5.0,
        }  # fmt: skip
        client = GmailClient(GoogleSettings(**(values | settings)), token or google.sign_in(email), None)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
async def desk(kafka: str, topic_prefix: str, tmp_path: Path, google: Proxy) -> AsyncIterator[GmailDesk]:
    """Topics and portal, no service started. ingest_gmail itself needs no Redis."""
    async with gmail_desk(kafka, "redis://127.0.0.1:1/0", topic_prefix, tmp_path / "data", google) as desk:
        yield desk
