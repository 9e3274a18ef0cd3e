"""Real servers before the real intake: Postfix (XFORWARD), nginx (XCLIENT) and swaks say whom they took the mail from."""

from __future__ import annotations

import asyncio
import http.server
import os
import shutil
import smtplib
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mailroom_contracts import EmailReceived
from support.dns_server import DnsServer, Zone
from support.postfix_relay import main_cf, master_cf
from support.processes import free_port, port_open
from support.proxied_smtp import ProxiedSmtp
from support.waiting import eventually, wait_until

from .conftest import Intake

CUSTOMER, STRANGER = "192.0.2.10", "203.0.113.9"
NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_mail_module.so")
needs_postfix = pytest.mark.skipif(
    shutil.which("postfix") is None or os.geteuid() != 0, reason="needs Postfix, which only root can start"
)
needs_nginx = pytest.mark.skipif(
    shutil.which("nginx") is None or not NGINX_MODULE.exists(), reason="needs nginx with its mail module"
)
needs_swaks = pytest.mark.skipif(shutil.which("swaks") is None, reason="needs swaks")
# what only a front's own filter writes, here by the client
FORGED = (
    b"Authentication-Results: front.example.net; spf=pass smtp.mailfrom=customer.example; dmarc=pass header.from=customer.example\r\n"
    b"X-Spam-Flag: YES\r\n"
)
RAW = b"%sFrom: Jo <jo@customer.example>\r\nTo: support@acme.example\r\nSubject: %s\r\nMessage-ID: <%s@customer.example>\r\n\r\nhello\r\n"


def publish_records(zone: Zone) -> None:
    """The customer sends from one address, and everything hangs on SPF."""
    for name in ("customer.example", "mail.customer.example"):
        zone.txt(name, f"v=spf1 ip4:{CUSTOMER} -all")
    zone.txt("_dmarc.customer.example", "v=DMARC1; p=reject")


def send(client_ip: str, port: int, subject: bytes, *, sender: str = "jo@customer.example", head: bytes = b"") -> None:
    with ProxiedSmtp(client_ip, port, "mail.customer.example") as client:
        client.sendmail(sender, ["support@acme.example"], RAW % (head, subject, subject))


async def arrived(intake: Intake, subject: str) -> EmailReceived:
    """The event of that mail."""

    async def look() -> EmailReceived:
        found = [one for one in await asyncio.to_thread(intake.received) if one.content.subject == subject]
        assert len(found) == 1, f"{len(found)} mails {subject!r}"
        return found[0]

    return await eventually(look, timeout=30)


@contextmanager
def postfix(root: Path, intake: int, forward: str) -> Iterator[int]:
    """A Postfix that hands everything to the intake; its port."""
    for parent in (root, *root.parents):  # Postfix' own user has to get there
        if str(parent).startswith("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    config, port = root / "config", free_port()
    for folder in (config, root / "queue", root / "data"):
        folder.mkdir()
    root.chmod(0o755)
    shutil.chown(root / "data", "postfix")
    settings = {"smtp_send_xforward_command": forward, "queue_directory": root / "queue", "data_directory": root / "data",
                "smtpd_upstream_proxy_protocol": "haproxy", "mynetworks": "0.0.0.0/0",
                "disable_vrfy_command": "yes", "biff": "no", "maillog_file_prefixes": "/dev"}  # fmt: skip
    (config / "main.cf").write_text(main_cf("front.example.net", intake, **settings))
    (config / "master.cf").write_text(master_cf(port))
    with (root / "log").open("wb") as log:
        front = subprocess.Popen(
            ["postfix", "-c", str(config), "start-fg"], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait_until(lambda: port_open(port), 30, what="Postfix")
        yield port
    finally:
        # its master is in a process group of its own, which no signal to ours reaches
        subprocess.run(["postfix", "-c", str(config), "stop"], capture_output=True, check=False)
        front.wait(20)


NGINX = """load_module {module};
daemon off;
master_process off;
pid {root}/pid;
error_log {root}/log info;
events {{}}
mail {{
  server_name proxy.example.net;
  auth_http 127.0.0.1:{auth}/;
  set_real_ip_from 127.0.0.0/8;
  server {{
    listen 127.0.0.1:{port} proxy_protocol;
    protocol smtp;
    smtp_auth none;
    smtp_capabilities 8BITMIME;
    xclient on;
  }}
}}
"""


@contextmanager
def nginx(root: Path, intake: int) -> Iterator[int]:
    """nginx' mail proxy before the intake; its port."""

    class Sends(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            for name, value in (("Auth-Status", "OK"), ("Auth-Server", "127.0.0.1"), ("Auth-Port", str(intake))):
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    asked = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sends)
    threading.Thread(target=asked.serve_forever, daemon=True).start()
    port = free_port()
    settings = root / "nginx.conf"
    settings.write_text(NGINX.format(module=NGINX_MODULE, root=root, auth=asked.server_port, port=port))
    proxy = subprocess.Popen(["nginx", "-p", str(root), "-e", str(root / "log"), "-c", str(settings)])
    try:
        wait_until(lambda: port_open(port), 30, what="nginx")
        yield port
    finally:
        proxy.terminate()
        proxy.wait(20)
        asked.shutdown()
        asked.server_close()


@needs_postfix
@pytest.mark.parametrize("forward", ["yes", "no"])
async def test_behind_postfix_the_client_is_judged_and_its_marks_are_believed(
    make_intake: Callable[..., Intake], tmp_path_factory: pytest.TempPathFactory, forward: str
) -> None:
    async with DnsServer() as dns:
        publish_records(dns.zone)
        intake = await asyncio.to_thread(make_intake, dns_server=dns.address, trusted_fronts="127.0.0.0/8")
        with postfix(tmp_path_factory.mktemp("postfix"), intake.smtp_port, forward) as port:
            await asyncio.to_thread(send, CUSTOMER, port, b"good")
            await asyncio.to_thread(send, STRANGER, port, b"forged")
            good, forged = await arrived(intake, "good"), await arrived(intake, "forged")
    assert (good.verdicts.spf, good.verdicts.dmarc, good.content.spam) == ("pass", "pass", False)
    assert (forged.verdicts.spf, forged.verdicts.dmarc, forged.content.spam) == ("fail", "fail", True)


@needs_nginx
async def test_behind_a_proxy_the_client_stands_in_its_place(
    make_intake: Callable[..., Intake], tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with DnsServer() as dns:
        publish_records(dns.zone)
        intake = await asyncio.to_thread(
            make_intake,
            dns_server=dns.address,
            trusted_proxies="127.0.0.0/8",
            trusted_authserv_ids="front.example.net",
            smtp_max_connections_per_client=1,
        )
        with nginx(tmp_path_factory.mktemp("nginx"), intake.smtp_port) as port:
            await asyncio.to_thread(send, CUSTOMER, port, b"good", head=FORGED)
            await asyncio.to_thread(send, STRANGER, port, b"forged", head=FORGED)
            await asyncio.to_thread(send, CUSTOMER, port, b"by-name", sender="")
            good, forged = await arrived(intake, "good"), await arrived(intake, "forged")
            by_name = await arrived(intake, "by-name")
    assert (good.envelope.client_ip, good.envelope.client_name) == (CUSTOMER, "mail.customer.example")
    assert (good.verdicts.spf, good.verdicts.dmarc, good.verdicts.source) == ("pass", "pass", "computed")
    assert not good.content.spam, "nginx writes no marks: they are the client's own"
    assert (forged.verdicts.spf, forged.verdicts.dmarc, forged.content.spam) == ("fail", "fail", True)
    assert (by_name.verdicts.spf, by_name.verdicts.spf_domain) == ("pass", "mail.customer.example")


def by_swaks(port: int, subject: str, *more: str) -> int:
    """Send by swaks; its exit status."""
    command = ["swaks", "--server", f"127.0.0.1:{port}", "--from", "jo@customer.example", "--to", "support@acme.example",
               "--ehlo", "mail.customer.example", "--header", f"Subject: {subject}",
               "--header", "From: jo@customer.example", *more]  # fmt: skip
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode


@needs_swaks
async def test_only_those_that_are_named_may_say_for_whom_they_speak(make_intake: Callable[..., Intake]) -> None:
    async with DnsServer() as dns:
        publish_records(dns.zone)
        intake = await asyncio.to_thread(make_intake, dns_server=dns.address, trusted_proxies="127.0.0.9/32")
        named = ("--local-interface", "127.0.0.9")
        told = ("--xclient-addr", CUSTOMER, "--xclient-helo", "mail.customer.example")
        assert await asyncio.to_thread(by_swaks, intake.smtp_port, "told", *named, *told) == 0
        assert await asyncio.to_thread(by_swaks, intake.smtp_port, "silent", *named) == 0
        assert await asyncio.to_thread(by_swaks, intake.smtp_port, "not named", *told) != 0
        assert await asyncio.to_thread(by_swaks, intake.smtp_port, "itself") == 0
        found = {one.content.subject: one for one in await asyncio.to_thread(intake.received)}
    assert {name: (one.verdicts.spf, one.verdicts.dmarc, one.content.spam) for name, one in found.items()} == {
        "told": ("pass", "pass", False),
        "silent": ("none", "none", False),  # nobody knows who it was: no failure
        "itself": ("fail", "fail", True),
    }


def speak_for_others(port: int) -> None:
    """What a front says of one client, and then takes back."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="front.example.net") as client:
        client.ehlo()
        assert client.has_extn("xforward")
        assert client.has_extn("xclient")
        assert client.docmd("XFORWARD", f"ADDR={STRANGER}")[0] == 250
        assert client.mail("jo@customer.example")[0] == 250
        assert client.docmd("XFORWARD", f"ADDR={STRANGER}")[0] == 503
        assert client.docmd("XCLIENT", f"ADDR={STRANGER}")[0] == 503
        assert client.rset()[0] == 250
        client.sendmail("jo@customer.example", ["support@acme.example"], RAW % (b"", b"reset", b"reset"))
        assert client.docmd("XFORWARD", f"ADDR={STRANGER}")[0] == 250
        client.sendmail("jo@customer.example", ["support@acme.example"], RAW % (b"", b"stranger", b"stranger"))
        client.sendmail("jo@customer.example", ["support@acme.example"], RAW % (b"", b"next", b"next"))
        assert client.docmd("XCLIENT", f"ADDR={CUSTOMER}")[0] == 220
        assert client.mail("jo@customer.example")[0] == 503, "the client has not greeted yet"
        client.ehlo()
        for subject in (b"first", b"second"):
            client.sendmail("jo@customer.example", ["support@acme.example"], RAW % (b"", subject, subject))


async def test_what_was_said_for_one_mail_is_not_believed_of_the_next(make_intake: Callable[..., Intake]) -> None:
    """XFORWARD ends with its mail or with RSET; XCLIENT begins the conversation again and lasts."""
    async with DnsServer() as dns:
        publish_records(dns.zone)
        intake = await asyncio.to_thread(make_intake, trusted_fronts="127.0.0.0/8", dns_server=dns.address)
        await asyncio.to_thread(speak_for_others, intake.smtp_port)
        found = {one.content.subject: one.verdicts.spf for one in await asyncio.to_thread(intake.received)}
    assert found == {"reset": "none", "stranger": "fail", "next": "none", "first": "pass", "second": "pass"}
