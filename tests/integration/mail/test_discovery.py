"""The rest is found: provider by domain, MX, SRV and Autoconfig, against a real DNS server and a real https server."""

from __future__ import annotations

import ssl
import threading
from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from mailroom_console.addresses import discovery
from mailroom_console.context import Console
from mailroom_console.settings import ConsoleSettings
from mailroom_oauth import OAuthSettings, Providers
from support.certificates import Authority
from support.dns_server import DnsServer, Zone


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[tuple[Zone, Console]]:
    async with DnsServer() as server, httpx.AsyncClient() as http:
        settings = ConsoleSettings(dns_server=server.address, services={}, allow_private_hosts=True)
        providers = Providers(OAuthSettings(microsoft_client_id="x", google_client_id="y"))
        yield server.zone, cast(Console, SimpleNamespace(settings=settings, http=http, providers=providers))
        providers.close()


async def found(console: Console, email: str) -> dict[str, Any]:
    return discovery.shown(await discovery.look(console, email))


async def test_by_domain_then_mx_then_srv(world: tuple[Zone, Console]) -> None:
    zone, console = world
    outlook = await found(console, "jo@hotmail.com")
    assert (outlook["host"], outlook["sign_in"], outlook["passwords"]) == ("smtp-mail.outlook.com", "microsoft", False)
    assert zone.asked == [], "what is known by its domain is asked of nobody"
    zone.add("shop.example", "MX", "10 shop-example.mail.protection.outlook.com.", "5 gateway.shop.example.")
    shop = await found(console, "help@shop.example")
    assert (shop["name"], shop["host"], shop["sign_in"]) == ("Microsoft 365", "smtp.office365.com", "microsoft")
    assert "shop-example.mail.protection.outlook.com" in shop["source"]
    zone.add("own.example", "MX", "10 mail.own.example.")
    zone.add("_submissions._tcp.own.example", "SRV", "0 1 465 smtp.own.example.")
    zone.add("_submission._tcp.own.example", "SRV", "0 1 587 other.own.example.")
    own = await found(console, "help@own.example")
    assert (own["host"], own["port"], own["tls"], own["sign_in"]) == ("smtp.own.example", 465, "implicit", None)
    zone.add("_submissions._tcp.none.example", "SRV", "0 0 0 .")
    zone.add("_submission._tcp.none.example", "SRV", "0 1 587 smtp.none.example.")
    assert (await found(console, "a@none.example"))["host"] == "smtp.none.example"
    assert await found(console, "a@nobody.example") == {"found": False}
    zone.broken |= {"down.example", "_submissions._tcp.down.example", "_submission._tcp.down.example"}
    assert await found(console, "a@down.example") == {"found": False}


class _Server:
    """Says `body` over https for localhost; counts who asked."""

    def __init__(self, folder: Path, body: bytes, status: int = 200, location: str = "") -> None:
        served = self
        self.asked = 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                served.asked += 1
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        authority = Authority(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue("front", "localhost"))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.context = ssl.create_default_context(cafile=str(authority.ca_file))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.parametrize(
    ("body", "status", "location", "read"),
    [(b"<a/>", 200, "", b"<a/>"), (b"x" * 70_000, 200, "", None), (b"no", 404, "", None), (b"", 302, "https://localhost/", None)],
)  # fmt: skip
async def test_a_document_is_small_and_comes_from_where_it_was_asked(
    tmp_path: Path, body: bytes, status: int, location: str, read: bytes | None
) -> None:
    server = _Server(tmp_path, body, status, location)
    try:
        async with httpx.AsyncClient(verify=server.context, trust_env=False) as http:

            async def here(_: str) -> list[str]:
                return ["127.0.0.1"]

            for private, expected in ((True, read), (False, None)):
                settings = ConsoleSettings(services={}, allow_private_hosts=private)
                console = cast(Console, SimpleNamespace(settings=settings, http=http))
                assert await discovery.fetch(console, "localhost", "/x", here, server.port) == expected
            # a certificate for another name
            console = cast(
                Console, SimpleNamespace(settings=ConsoleSettings(services={}, allow_private_hosts=True), http=http)
            )
            assert await discovery.fetch(console, "autoconfig.shop.example", "/x", here, server.port) is None
        assert server.asked == 1, "nothing inside is even asked, nor where a redirect leads"
    finally:
        server.close()
