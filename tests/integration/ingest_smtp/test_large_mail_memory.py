"""A mail of 25 MB takes little more memory than its own bytes, whatever it is made of."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from pathlib import Path

from support.processes import ServiceProcess, free_port
from support.topics import run_apart

from .conftest import PLAIN, configuration, publish
from .test_intake_lag import LARGE, MAILS

# times the mail, above what the process holds when it has nothing to do
MOST = dict.fromkeys(MAILS, 4.0) | {"recipients": 6.5, "files": 5.0}  # 400,000 addresses, 370,000 files


def _kb(process: ServiceProcess, what: str) -> int:
    """VmRSS, or its highest since the last reset, VmHWM."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith(what))
    return int(line.split()[1])


def test_a_large_mail_takes_little_more_than_itself(
    kafka: str, topics: str, tmp_path: Path, start_service: Callable[..., ServiceProcess]
) -> None:
    run_apart(publish(kafka, topics, configuration()))
    port = free_port()
    env = {"MAILROOM_KAFKA": kafka, "MAILROOM_TOPIC_PREFIX": topics, "MAILROOM_DATA": str(tmp_path / "data"),
           "MAILROOM_SMTP_PORT": str(port), "MAILROOM_LMTP_PORT": "0", "MAILROOM_SMTP_BARE_NEWLINES": "refuse"}  # fmt: skip
    process = start_service("ingest_smtp", env, anew=True)

    def send(raw: bytes) -> None:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="client.example", timeout=60) as client:
            client.sendmail("jo@customer.example", ["support@acme.example"], raw)

    for n in range(20):
        send(b"X-Try: %d\r\n" % n + PLAIN)
    times, idle = {}, _kb(process, "VmRSS")
    for what, raw in MAILS.items():
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # proc(5): the highest is what is held now
        send(raw)
        times[what] = round((_kb(process, "VmHWM") - idle) * 1024 / LARGE, 1)
    assert {what: took for what, took in times.items() if took > MOST[what]} == {}
