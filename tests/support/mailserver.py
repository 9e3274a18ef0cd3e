"""A real mail server for tests: Postfix with Dovecot's SASL, on free ports of 127.0.0.1, stopped without a trace.

Needs Debian's postfix and dovecot-core, and root. It stands for a customer's provider: submission with STARTTLS and
with TLS from the start, users with passwords, mailboxes, forwarding with and without a rewritten envelope sender,
greylisting or any other policy, a size limit.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from . import dovecot
from .certificates import Authority
from .policy_server import Policy, PolicyServer
from .processes import Process, free_port, port_open
from .waiting import wait_until

POSTFIX, DAEMONS = "/usr/sbin/postfix", "/usr/lib/postfix/sbin"
# 127.0.0.1 is not among them: a test needs a certificate that is not valid for the host
_CERTIFIED = ("localhost", "mail.provider.example")

_SERVICES = """\
{port} inet n - n - - smtpd
{tls_port} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class MailServer:
    """`users`: address -> password. Mail to any of `domains` is kept in mailboxes; to a user's domain, only for users.

    Attributes to use: `port` (STARTTLS), `tls_port` (TLS from the start), `host` (a name its certificate has),
    `ca_file`, `policy` (may be changed at any time).
    """

    def __init__(
        self,
        users: dict[str, str] | None = None,
        *,
        domains: tuple[str, ...] = ("c.example",),
        size_limit: int = 10_240_000,
        connections_per_client: int = 0,
        settings: dict[str, str] | None = None,
        introspect_url: str = "",
    ) -> None:
        """`introspect_url`: an RFC 7662 endpoint; then users sign in with tokens (XOAUTH2, OAUTHBEARER) too."""
        # not under pytest's folder, which other users cannot enter; and short, for the sockets in it
        self.folder = Path(tempfile.mkdtemp(prefix="mailserver-"))
        self.folder.chmod(0o755)
        self.users = dict(users or {})
        self.domains = domains
        self.host = "localhost"
        self.port, self.tls_port = free_port(), free_port()
        self.ca_file = self.folder / "ca.pem"
        self.policy: Policy = lambda _: "DUNNO"
        self._size_limit, self._connections, self._settings = size_limit, connections_per_client, dict(settings or {})
        self._introspect_url = introspect_url
        self._forwards: dict[str, tuple[str, bool]] = {}
        self._routes: dict[str, int] = {}
        self._policy_server = PolicyServer(lambda attributes: self.policy(attributes))
        self._postfix = Process(
            [f"{DAEMONS}/master", "-c", str(self.folder / "etc"), "-d"], self.folder / "postfix.out"
        )
        self._dovecot = Process(
            [dovecot.DOVECOT, "-F", "-c", str(self.folder / "dovecot.conf")], self.folder / "dovecot.out"
        )

    # before or after start

    def password(self, user: str, password: str) -> None:
        """Give a user this password."""
        self.users[user] = password
        self._write_users()

    def forward(self, address: str, to: str, *, rewrite: bool = False) -> None:
        """Forward an address. `rewrite`: the envelope sender becomes the forwarding address's own."""
        self._forwards[address] = (to, rewrite)
        self._apply()

    def route(self, domain: str, port: int) -> None:
        """Hand mail for this domain to that port of this machine."""
        self._routes[domain] = port
        self._apply()

    # running

    def start(self) -> Self:
        """Start both servers; returns when they answer."""
        for name in ("etc", "queue", "data", "mail", "run"):
            (self.folder / name).mkdir(exist_ok=True)
        nobody, postfix = pwd.getpwnam("nobody"), pwd.getpwnam("postfix")
        os.chown(self.folder / "mail", nobody.pw_uid, nobody.pw_gid)
        os.chown(self.folder / "data", postfix.pw_uid, postfix.pw_gid)
        self._chain = Authority(self.folder).issue("server", *_CERTIFIED)
        self._write_users()
        self._policy_server.start()
        self._write_postfix()
        subprocess.run(
            [POSTFIX, "-c", str(self.folder / "etc"), "check"], check=True, capture_output=True, timeout=30
        )  # makes the queue's folders
        self._write_dovecot()
        self._dovecot.launch()
        wait_until(lambda: self._alive(self._dovecot) and (self.folder / "queue/private/auth").is_socket(), 20)
        self._postfix.launch()
        wait_until(lambda: self._alive(self._postfix) and port_open(self.port) and port_open(self.tls_port), 20)
        return self

    def stop(self) -> None:
        """Stop both and delete everything."""
        for process in (self._postfix, self._dovecot):
            if process.running:
                try:
                    process.terminate(10)
                except subprocess.TimeoutExpired:
                    process.kill()
        self._policy_server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # what arrived

    def mailbox(self, address: str) -> list[bytes]:
        """The mails of one mailbox, oldest first."""
        local, _, domain = address.lower().partition("@")
        folders = [self.folder / "mail" / domain / name / "new" for name in (local, "all")]
        files = [file for folder in folders if folder.is_dir() for file in folder.iterdir()]
        files.sort(key=lambda f: (f.stat().st_mtime_ns, f.name))
        to = f"Delivered-To: {address}\n".lower().encode()
        return [raw for raw in (file.read_bytes() for file in files) if to in raw[:2000].lower()]

    def log(self) -> str:
        """What the servers wrote."""
        files = [self.folder / name for name in ("mail.log", "postfix.out", "dovecot.log", "dovecot.out")]
        return "\n".join(f.read_text(errors="replace") for f in files if f.exists())

    # its configuration

    def _alive(self, process: Process) -> bool:
        assert process.running, f"{process.command[0]} ended with {process.returncode}:\n{self.log()[-3000:]}"
        return True

    def _apply(self) -> None:
        if self._postfix.running:
            self._write_postfix()
            subprocess.run(
                [POSTFIX, "-c", str(self.folder / "etc"), "reload"], check=True, capture_output=True, timeout=30
            )

    def _write_users(self) -> None:
        lines = [f"{user}:{{PLAIN}}{password}" for user, password in self.users.items()]
        _replace(self.folder / "users", "\n".join(lines) + "\n")

    def _write_postfix(self) -> None:
        etc = self.folder / "etc"
        user_domains = {user.partition("@")[2] for user in self.users}
        rewriting = {a.partition("@")[2] for a, (_, rewrite) in self._forwards.items() if rewrite}
        plain = {a: to for a, (to, rewrite) in self._forwards.items() if not rewrite}
        boxes = [f"{user} {user.partition('@')[2]}/{user.partition('@')[0]}/" for user in self.users]
        # virtual(8) allows no substitution: one mailbox for all of a domain, told apart by Delivered-To
        boxes += [f"@{domain} {domain}/all/" for domain in self.domains]
        _replace(etc / "boxes", "\n".join(boxes) + "\n")
        _replace(etc / "forwards", "".join(f"{a} {to}\n" for a, to in plain.items()))
        aliases = ""
        for address, (to, rewrite) in self._forwards.items():
            if rewrite:
                local, _, domain = address.partition("@")
                # an owner- alias makes local(8) use it as the envelope sender of what it forwards
                aliases += f"{local}: {to}\nowner-{local}: {local}-bounces@{domain}\n"
        _replace(etc / "aliases", aliases)
        _replace(etc / "routes", "".join(f"{d} smtp:[127.0.0.1]:{p}\n" for d, p in self._routes.items()))
        # a login may send as its own address only
        _replace(etc / "senders", "/^(.*)$/ ${1}\n")
        hosted = (
            (user_domains | set(self.domains) | {a.partition("@")[2] for a in plain}) - rewriting - set(self._routes)
        )
        values = {
            "compatibility_level": "3.6",
            "queue_directory": str(self.folder / "queue"),
            "data_directory": str(self.folder / "data"),
            "command_directory": "/usr/sbin",
            "daemon_directory": DAEMONS,
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "maillog_file": str(self.folder / "mail.log"),
            "maillog_file_prefixes": str(self.folder.parent),
            "myhostname": "mail.provider.example",
            "mydestination": ", ".join(sorted(rewriting)),
            "mynetworks": "192.0.2.1/32",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "smtputf8_enable": "no",
            "biff": "no",
            "smtp_dns_support_level": "disabled",
            "smtp_host_lookup": "native",
            "default_transport": "error:5.1.2 there is no such domain",
            "relay_domains": ", ".join(sorted(self._routes)),
            "transport_maps": f"texthash:{etc}/routes",
            "alias_maps": f"texthash:{etc}/aliases",
            "local_recipient_maps": "",
            "virtual_alias_maps": f"texthash:{etc}/forwards",
            "virtual_mailbox_domains": ", ".join(sorted(hosted)),
            "virtual_mailbox_base": str(self.folder / "mail"),
            "virtual_mailbox_maps": f"texthash:{etc}/boxes",
            "virtual_uid_maps": "static:65534",
            "virtual_gid_maps": "static:65534",
            "virtual_mailbox_limit": "0",
            "mailbox_size_limit": "0",
            "message_size_limit": str(self._size_limit),
            "minimal_backoff_time": "1s",
            "queue_run_delay": "1s",
            "smtpd_tls_security_level": "may",
            "smtpd_tls_auth_only": "yes",
            "smtpd_tls_chain_files": f"{self._chain[1]}, {self._chain[0]}",
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": "private/auth",
            "smtpd_sender_login_maps": f"regexp:{etc}/senders",
            "smtpd_sender_restrictions": "reject_authenticated_sender_login_mismatch",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject_unauth_destination",
            "smtpd_recipient_restrictions": f"check_policy_service inet:127.0.0.1:{self._policy_server.port}",
            "smtpd_policy_service_timeout": "60s",
            "smtpd_client_connection_count_limit": str(self._connections),
            "smtpd_client_event_limit_exceptions": "",
            "smtpd_error_sleep_time": "0",
            "smtpd_soft_error_limit": "1000",
            "smtpd_hard_error_limit": "1000",
            **self._settings,
        }
        _replace(etc / "main.cf", "".join(f"{name} = {value}\n" for name, value in values.items()))
        services = _SERVICES.format(port=f"127.0.0.1:{self.port}", tls_port=f"127.0.0.1:{self.tls_port}")
        _replace(etc / "master.cf", services)

    def _write_dovecot(self) -> None:
        for name, content in dovecot.configuration(self.folder, self._introspect_url).items():
            _replace(self.folder / name, content)


def _replace(path: Path, text: str) -> None:
    """Write so that a reader sees the old or the new file."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.chmod(0o644)
    part.replace(path)
