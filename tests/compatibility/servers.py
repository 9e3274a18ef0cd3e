"""Real mail servers from Debian's packages, each in a throw-away root (an overlay that ends with its process), on loopback.

A server gets our mails by SMTP and hands everything to one other server, the *world*, which refuses, defers or takes by
the name before the @. Nothing is installed on the machine itself. Needs root (mount namespaces) and apt.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from support.postfix_relay import main_cf, master_cf

INSTALL_S = 240.0
_ROOT = r"""
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/up" "$1/work" "$1/root"
mount -t overlay overlay -o lowerdir=/,upperdir="$1/up",workdir="$1/work" "$1/root"
mount --rbind /dev "$1/root/dev"
mount -t proc proc "$1/root/proc"
cd "$1/root"
exec chroot . /bin/sh -e -c "$2"
"""


@dataclass(frozen=True, slots=True)
class Server:
    """How to get, configure and run one server; `{listen}` and `{world}` are ports."""

    name: str
    packages: tuple[str, ...]
    version_of: str
    files: dict[str, str]
    run: str


EXIM = Server(
    "Exim", ("exim4-base", "exim4-config", "exim4-daemon-light"), "exim4-daemon-light",
    {"/compat/exim.conf": """primary_hostname = mx.example.net
daemon_smtp_ports = {listen}
local_interfaces = 127.0.0.1
tls_advertise_hosts =
acl_smtp_rcpt = take
delay_warning = 2s
trusted_users = root
begin acl
take:
  accept
begin routers
out:
  driver = manualroute
  route_list = * 127.0.0.1
  transport = world
  self = send
begin transports
world:
  driver = smtp
  port = {world}
  allow_localhost
begin retry
* * F,12s,2s
"""},
    "exec exim4 -C /compat/exim.conf -bdf -q1s",
)  # fmt: skip
OPENSMTPD = Server(
    "OpenSMTPD", ("opensmtpd",), "opensmtpd",
    {"/compat/smtpd.conf": """bounce warn-interval 2s
queue ttl 15s
listen on 127.0.0.1 port {listen} hostname mx.example.net
action "out" relay host smtp://127.0.0.1:{world}
match from any for any action "out"
"""},
    "exec smtpd -d -f /compat/smtpd.conf",
)  # fmt: skip
POSTFIX = Server(
    "Postfix", ("postfix",), "postfix",
    {"/compat/postfix/main.cf": main_cf(
        "mx.example.net", "{world}", queue_directory="/var/spool/postfix", maximal_queue_lifetime="10s",
        bounce_queue_lifetime="10s", minimal_backoff_time="1s", maximal_backoff_time="2s", queue_run_delay="1s",
        delay_warning_time="2s",
    ), "/compat/postfix/master.cf": master_cf("{listen}", """pickup unix n - n 60 1 pickup
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
scache unix - - n - 1 scache
""")},
    "rm -f /var/spool/postfix/pid/master.pid; exec postfix -c /compat/postfix start-fg",
)  # fmt: skip
SENDMAIL = Server(
    "sendmail", ("sendmail-base", "sendmail-cf", "sendmail-bin"), "sendmail-bin",
    {"/compat/sendmail.mc": """include(`/usr/share/sendmail/cf/m4/cf.m4')
OSTYPE(`debian')
define(`confDOMAIN_NAME', `mx.example.net')
define(`SMART_HOST', `esmtp:[127.0.0.1]')
define(`ESMTP_MAILER_ARGS', `TCP $h {world}')
define(`confTO_QUEUEWARN', `1s')
define(`confTO_QUEUERETURN', `12s')
define(`confDONT_PROBE_INTERFACES', `True')
FEATURE(`promiscuous_relay')
FEATURE(`accept_unqualified_senders')
FEATURE(`accept_unresolvable_domains')
FEATURE(`nocanonify')
DAEMON_OPTIONS(`Family=inet, Port={listen}, Addr=127.0.0.1')
MAILER(`smtp')
"""},
    "m4 /compat/sendmail.mc > /compat/sendmail.cf; install -d -o root -g smmsp -m 2700 /var/spool/mqueue || install -d -m 700 /var/spool/mqueue; exec sendmail -bD -C /compat/sendmail.cf -q1s",
)  # fmt: skip
SERVERS = (EXIM, OPENSMTPD, POSTFIX, SENDMAIL)


class Running:
    """A server that listens; everything of it is gone afterwards."""

    def __init__(self, server: Server, folder: Path, listen: int, world: int) -> None:
        self._server, self._folder, self._listen = server, folder, listen
        ports = {"listen": str(listen), "world": str(world)}
        self._files = {path: _filled(text, ports) for path, text in server.files.items()}
        self.log = folder / f"{server.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        root = self._folder / self._server.name
        root.mkdir(parents=True)
        packages = " ".join(self._server.packages)
        steps = [
            # sendmail's own installation waits a minute each time that it cannot find its full name
            "hostname mx.example.net; echo '127.0.0.1 localhost mx.example.net mx' > /etc/hosts",
            "printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d",
            "export DEBIAN_FRONTEND=noninteractive",
            f"dpkg -s {packages} >/dev/null 2>&1 || apt-get install -qq -y --no-install-recommends {packages} >/compat.log 2>&1 "
            "|| { cat /compat.log; exit 1; }",
        ]
        for path, text in self._files.items():
            steps.append(f"mkdir -p {os.path.dirname(path)}; cat > {path} <<'COMPAT'\n{text}COMPAT")
        steps.append(self._server.run)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", _ROOT, "compat", str(root), "\n".join(steps)],
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        return self

    def listening(self, answers: Callable[[int], bool]) -> bool:
        """Wait until it answers; False when it ended, or did not within the time that installing may take."""
        assert self._process is not None
        end = time.monotonic() + INSTALL_S
        while time.monotonic() < end and self._process.poll() is None:
            if answers(self._listen):
                return True
            time.sleep(0.5)
        return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


def version_of(package: str) -> str:
    """The version that apt would install."""
    said = subprocess.run(["apt-cache", "policy", package], capture_output=True, text=True, check=False).stdout
    return next((line.split()[-1] for line in said.splitlines() if "Candidate:" in line), "?")
