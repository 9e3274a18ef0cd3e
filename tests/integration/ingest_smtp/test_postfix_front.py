"""A real Postfix in front of the intake: it says whom it took the mail from by XFORWARD, and is believed."""

from __future__ import annotations

import asyncio
import os
import shutil
import smtplib
import subprocess
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from mailroom_contracts import Address, Portal
from mailroom_ingest_smtp.house import House
from mailroom_ingest_smtp.listeners import listen
from mailroom_ingest_smtp.replies import Reply, accepted
from mailroom_ingest_smtp.session import Delivery, Session
from mailroom_ingest_smtp.settings import IngestSmtpSettings
from support.postfix_relay import main_cf, master_cf
from support.processes import free_port
from support.waiting import eventually

pytestmark = pytest.mark.skipif(
    shutil.which("postfix") is None or os.geteuid() != 0, reason="needs Postfix, which only root can start"
)


class Tables:
    """One address of one portal."""

    def address_by_email(self, email: str) -> Address | None:
        return (
            Address(id="ad1", portal_id="p1", kind="internal", email=email) if email == "support@acme.example" else None
        )

    def portal_of_domain(self, domain: str) -> Portal | None:
        return Portal(id="p1", name="Acme", domains=["acme.example"]) if domain == "acme.example" else None

    def addresses_of_portal(self, portal_id: str) -> Iterator[Address]:
        return iter(())

    def home_domain(self) -> str | None:
        return "acme.example"

    def fresh(self) -> bool:
        return True


class Taken:
    """Keeps what was taken in."""

    def __init__(self) -> None:
        self.mails: list[Delivery] = []

    async def take(self, delivery: Delivery) -> list[Reply]:
        self.mails.append(delivery)
        return [accepted("r1") for _ in delivery.recipients]


def start(root: Path, port: int, intake: int, forward: str) -> subprocess.Popen[bytes]:
    config = root / "config"
    for folder in (config, root / "queue", root / "data"):
        folder.mkdir()
    root.chmod(0o755)
    shutil.chown(root / "data", "postfix")
    settings = {"smtp_send_xforward_command": forward, "queue_directory": root / "queue", "data_directory": root / "data",
                "disable_vrfy_command": "yes", "biff": "no", "maillog_file_prefixes": "/dev"}  # fmt: skip
    (config / "main.cf").write_text(main_cf("front.example.net", intake, **settings))
    (config / "master.cf").write_text(master_cf(port))
    log = (root / "log").open("wb")
    return subprocess.Popen(
        ["postfix", "-c", str(config), "start-fg"], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )


def send(port: int, source: str) -> bool:
    try:
        with smtplib.SMTP(timeout=5, local_hostname="mail.customer.example", source_address=(source, 0)) as client:
            client.connect("127.0.0.1", port)
            client.sendmail("jo@customer.example", ["support@acme.example"], b"Subject: x\r\n\r\nx\r\n")
    except (OSError, smtplib.SMTPException):
        return False
    return True


@pytest.mark.parametrize("forward", ["yes", "no"])
async def test_the_client_is_the_one_that_the_front_names(
    tmp_path_factory: pytest.TempPathFactory, forward: str
) -> None:
    root = tmp_path_factory.mktemp("postfix")
    for parent in (root, *root.parents):  # Postfix' own user has to get there
        if str(parent).startswith("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    house = House(limit=10, per_client=10, memory=1 << 20, fronts=[ip_network("127.0.0.0/8")])
    taken, loop = Taken(), asyncio.get_running_loop()
    settings = IngestSmtpSettings()
    port, intake = free_port(), free_port()
    server = await listen(
        "127.0.0.1", intake, lambda: Session(settings, house, lambda: Tables(), taken, None, loop), setting="x"
    )  # fmt: skip
    front = start(root, port, intake, forward)
    try:
        await eventually(lambda: asyncio.to_thread(send, port, "127.0.0.9"), timeout=30)
        await eventually(lambda: taken.mails, timeout=30)
    finally:
        # its master is in a process group of its own, which no signal to ours reaches
        await asyncio.to_thread(
            subprocess.run, ["postfix", "-c", str(root / "config"), "stop"], capture_output=True, check=False
        )
        front.wait(20)
        server.close()
    mail = taken.mails[0]
    assert mail.from_front
    if forward == "no":
        assert mail.told is None, "then the front's Received says it"
        assert b"(unknown [127.0.0.9])" in mail.raw or b"[127.0.0.9]" in mail.raw
        return
    assert mail.told is not None
    assert (mail.told.client_ip, mail.told.helo) == ("127.0.0.9", "mail.customer.example")
