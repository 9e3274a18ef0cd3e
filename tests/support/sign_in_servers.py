"""Providers to sign in at: the npm emulator `emulate` (Microsoft, Okta), and an HTTPS front before its Microsoft that adds what
it lacks: exact redirect addresses, denial, consent withdrawn, tokens as long as Entra's, that end, and an RFC 7662 endpoint that
knows all of it, for mail servers.

The emulator's first user is a sentinel: it answers for every token that it does not know.
"""

from __future__ import annotations

import base64
import http.server
import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx

from .certificates import Authority
from .gmail_emulator import installed
from .processes import Process, free_port, port_open
from .waiting import wait_until

CLIENT_ID, CLIENT_SECRET = "aaaaaaaa-0000-4000-8000-000000000001", "s3cret"
TENANT = "11111111-1111-4111-8111-111111111111"
Answer = tuple[int, dict[str, Any]]


class SignInServers:
    """`origin` is where Microsoft is; `authority` what Mailroom is told; `okta` another provider's issuer."""

    def __init__(self, folder: Path, emails: Iterable[str], redirect_uris: Iterable[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self.emails, self.redirect_uris = folder, list(emails), list(redirect_uris)
        # the emulator's services stand side by side: the port after the first is Okta's
        self._port, self._okta_port, self.port = free_port(), free_port(), free_port()
        while self._okta_port != self._port + 1:
            self._port, self._okta_port, self.port = self._okta_port, self.port, free_port()
        self.origin = f"https://localhost:{self.port}"
        self.authority, self.okta = f"{self.origin}/common", f"http://127.0.0.1:{self._okta_port}/oauth2/default"
        self.ca_file = folder / "front-ca.pem"
        command = [
            "node",
            str(installed()),
            "start",
            "-s",
            "microsoft,okta",
            "--seed",
            "seed.json",
            "-p",
            str(self._port),
        ]
        self._emulator = Process(["sh", "-c", f"cd {folder} && exec {' '.join(command)}"], folder / "emulate.log")
        self.front = Front(self, folder)

    def __enter__(self) -> Self:
        clients = [{"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "name": "Mailroom",
                    "redirect_uris": self.redirect_uris}]  # fmt: skip
        users = [{"email": e, "name": e.partition("@")[0].title(), "tenant_id": TENANT} for e in self.emails]
        seed = {
            "microsoft": {"baseUrl": self.origin, "oauth_clients": clients,
                          "users": [{"email": "sentinel@nobody.example", "name": "Sentinel"}, *users]},
            "okta": {"baseUrl": f"http://127.0.0.1:{self._okta_port}",
                     "users": [{"login": e, "email": e, "first_name": "A", "last_name": "B"} for e in self.emails],
                     "authorization_servers": [{"id": "default", "name": "default", "audiences": ["api://default"]}],
                     "oauth_clients": [client | {"auth_server_id": "default"} for client in clients]},
        }  # fmt: skip
        (self._folder / "seed.json").write_text(json.dumps(seed))
        self._emulator.launch()

        def up() -> bool:
            assert self._emulator.running, self._emulator.tail()
            return port_open(self._port) and port_open(self._okta_port)

        wait_until(up, 30, what="the sign-in emulator")
        self.front.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.front.stop()
        self._emulator.kill()

    def env(self) -> dict[str, str]:
        """The settings that point Mailroom here."""
        providers = self._folder / "providers.json"
        providers.write_text(json.dumps([{
            "id": "okta", "name": "Okta", "issuer": self.okta, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
        }]))  # fmt: skip
        return {
            "MAILROOM_MICROSOFT_CLIENT_ID": CLIENT_ID, "MAILROOM_MICROSOFT_CLIENT_SECRET": CLIENT_SECRET,
            "MAILROOM_MICROSOFT_AUTHORITY": self.authority, "MAILROOM_OAUTH_PROVIDERS": str(providers),
            "MAILROOM_OAUTH_CA_FILE": str(self.ca_file),
        }  # fmt: skip

    def consent(self, authorize_url: str, email: str) -> dict[str, str]:
        """What a person does on the provider's page: picks the account. The parameters that the browser comes back with."""
        with httpx.Client(
            verify=ssl.create_default_context(cafile=str(self.ca_file)), trust_env=False, timeout=20
        ) as browser:
            page = browser.get(authorize_url)
            if page.status_code == 302:  # denied
                return dict(parse_qsl(urlsplit(page.headers["location"]).query))
            assert page.status_code == 200, page.text[:300]
            form = next(f for f in page.text.split("<form")[1:] if email in f)
            action = form.split('action="')[1].split('"')[0]
            fields = {
                part.split('name="')[1].split('"')[0]: _plain(part.split('value="')[1].split('"')[0])
                for part in form.split("<input")[1:]
            }
            base = "{0.scheme}://{0.netloc}".format(urlsplit(authorize_url))
            back = browser.post(f"{base}{action}", data=fields)
        assert back.status_code == 302, back.text[:300]
        return dict(parse_qsl(urlsplit(back.headers["location"]).query))


class Front:
    """`answer` may answer a call to the token endpoint itself; `lasts_s` is how long access tokens last; `rotate` ends a
    refresh token with its use; `token_size` is how long access tokens are, at least."""

    def __init__(self, servers: SignInServers, folder: Path) -> None:
        self._servers, self._folder = servers, folder
        self.answer: Callable[[dict[str, str]], Answer | None] = lambda _: None
        self.deny = ""  # an error to come back with, instead of the page
        self.delay_s = 0.0
        self.lasts_s, self.token_size, self.rotate = 3600.0, 1700, False
        self.checks_down = False
        self.waiting: list[str] = []  # refresh tokens of calls that were made to wait
        self.renewals: list[str] = []  # refresh tokens that were used
        self.revoked: set[str] = set()  # accounts whose consent was withdrawn
        self._owners: dict[str, str] = {}  # refresh token -> account
        self._issued: dict[str, tuple[str, float]] = {}  # access token -> account, when it ends
        self._ended: set[str] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                front._serve(self, b"")

            def do_POST(self) -> None:
                front._serve(self, self.rfile.read(int(self.headers.get("content-length") or 0)))

            def log_message(self, *_: Any) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", self._servers.port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*Authority(self._folder, self._servers.ca_file).issue("front", "localhost"))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._plain = Server(("127.0.0.1", 0), Handler)  # for Dovecot: introspection without TLS
        self.introspect_url = f"http://dovecot:d0vecot@127.0.0.1:{self._plain.server_address[1]}/introspect"
        for server in (self._server, self._plain):
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        for server in (self._server, self._plain):
            server.shutdown()
            server.server_close()

    def end_tokens(self) -> None:
        """Every access token that was given out ends now."""
        with self._lock:
            self._issued = {token: (who, 0.0) for token, (who, _) in self._issued.items()}

    def _serve(self, request: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
        url = urlsplit(request.path)
        form = dict(parse_qsl(body.decode())) if body else {}
        if url.path == "/introspect":
            self._introspect(request, form)
            return
        if url.path.endswith("/authorize") and self.deny:
            asked = {k: v[0] for k, v in parse_qs(url.query).items()}
            assert asked["redirect_uri"] in self._servers.redirect_uris
            query = urlencode({"error": "access_denied", "error_description": self.deny, "state": asked["state"]})
            _reply(request, 302, b"", {"Location": f"{asked['redirect_uri']}?{query}"})
            return
        if url.path.endswith("/token"):
            status, answer = self._token(form)
            _reply(request, status, json.dumps(answer).encode(), {"Content-Type": "application/json"})
            return
        status, content, headers = self._upstream(request, body)
        _reply(request, status, content, headers)

    def _token(self, form: dict[str, str]) -> Answer:
        refresh = form.get("refresh_token", "")
        if self.delay_s:
            self.waiting.append(refresh)
            ends = time.monotonic() + self.delay_s
            while self.delay_s and time.monotonic() < ends:  # until then, or until the test says go on
                time.sleep(0.05)
            if not self.delay_s:
                return 503, {"error": "temporarily_unavailable"}  # whoever asked has gone
        if form.get("client_secret") != CLIENT_SECRET:
            return 401, {
                "error": "invalid_client",
                "error_description": "AADSTS7000215: Invalid client secret provided.",
            }
        with self._lock:
            if refresh:
                self.renewals.append(refresh)
            if (own := self.answer(form)) is not None:
                return own
            if refresh and self._owners.get(refresh, "") in self.revoked:
                return 400, {"error": "invalid_grant", "error_description": "AADSTS65001: The user or administrator has not "
                             "consented to use the application. Trace ID: 1 Correlation ID: 2"}  # fmt: skip
            if refresh in self._ended:
                return 400, {
                    "error": "invalid_grant",
                    "error_description": "AADSTS70000: The provided grant is not valid.",
                }
        uri = form.get("redirect_uri")
        if uri is not None and uri not in self._servers.redirect_uris:
            return 400, {
                "error": "invalid_client",
                "error_description": "AADSTS50011: The redirect URI does not match.",
            }
        data = urlencode(form).encode()
        call = urllib.request.Request(f"http://127.0.0.1:{self._servers._port}/oauth2/v2.0/token", data)
        try:
            with urllib.request.urlopen(call, timeout=20) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        with self._lock:
            claims = answer.get("id_token", "").split(".")
            who = self._owners.get(refresh, "")
            if len(claims) == 3:
                who = json.loads(base64.urlsafe_b64decode(claims[1] + "=="))["preferred_username"]
            if self.rotate and refresh:
                self._ended.add(refresh)
            long = answer["access_token"] + "A" * max(self.token_size - len(answer["access_token"]), 0)
            self._owners[answer.get("refresh_token", refresh)] = who
            self._issued[long] = (who, time.time() + self.lasts_s)
        return 200, answer | {"access_token": long, "expires_in": int(self.lasts_s)}

    def _introspect(self, request: http.server.BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        if self.checks_down:
            _reply(request, 500, b"down", {})
            return
        who, ends = self._issued.get(form.get("token", ""), ("", 0.0))
        active = bool(who) and ends > time.time() and who not in self.revoked
        told = {"active": active} | ({"username": who, "exp": int(ends)} if active else {})
        _reply(request, 200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _upstream(self, request: http.server.BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        with httpx.Client(trust_env=False, timeout=20) as client:
            answer = client.request(
                request.command, f"http://127.0.0.1:{self._servers._port}{request.path}", content=body or None,
                headers={k: v for k, v in request.headers.items() if k.lower() in ("content-type", "accept")},
            )  # fmt: skip
        kept = {k: v for k, v in answer.headers.items() if k.lower() in ("content-type", "location")}
        return answer.status_code, answer.content, kept


def _reply(request: http.server.BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    try:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
    except OSError:
        pass  # the client gave up


def _plain(text: str) -> str:
    return text.replace("&amp;", "&").replace("&#x2F;", "/").replace("&quot;", '"')
