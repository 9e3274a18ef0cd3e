"""Behind a proxy: only a trusted one may say for whom it asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mailroom_console.settings import ConsoleSettings
from pydantic import ValidationError
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


async def client_of(trusted: str, peer: str, forwarded: str, data: Path) -> str:
    settings = ConsoleSettings(data=data, trusted_proxies=trusted)
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])

    scope = {
        "type": "http",
        "scheme": "http",
        "client": (peer, 1),
        "headers": [(b"x-forwarded-for", forwarded.encode())],
    }
    await ProxyHeadersMiddleware(app, trusted_hosts=settings.proxies or "")(scope, None, None)  # type: ignore[arg-type]
    return str(seen[0])


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "expected"),
    [
        ("10.0.0.0/8", "10.1.2.3", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.0/8, 192.0.2.1", "192.0.2.1", "6.6.6.6, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
        ("10.0.0.0/8", "203.0.113.9", "6.6.6.6", "203.0.113.9"),
        ("", "127.0.0.1", "6.6.6.6", "127.0.0.1"),
    ],
)
async def test_whose_address_counts(trusted: str, peer: str, forwarded: str, expected: str, tmp_path: Path) -> None:
    assert await client_of(trusted, peer, forwarded, tmp_path) == expected


@pytest.mark.parametrize("wrong", ["0.0.0.0/0", "::/0", "everybody", "*"])
def test_nobody_trusts_everybody(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        ConsoleSettings(data=tmp_path, trusted_proxies=wrong)
