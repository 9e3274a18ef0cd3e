"""A Postfix that takes everything from loopback and hands it to one other server: its main.cf and master.cf."""

from __future__ import annotations

_SERVICES = """cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
postlog unix-dgram n - n - 1 postlogd
anvil unix - - n - 1 anvil
"""


def main_cf(name: str, relay: int | str, **more: object) -> str:
    """Settings of the server `name` that hands on to that port; `more` are further ones."""
    settings: dict[str, object] = {
        "compatibility_level": "3.6",
        "myhostname": name,
        "mydestination": "",
        "local_recipient_maps": "",
        "mynetworks": "127.0.0.0/8",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "relayhost": f"[127.0.0.1]:{relay}",
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
        "maillog_file": "/dev/stdout",
    }
    return "".join(f"{key} = {value}\n" for key, value in {**settings, **more}.items())


def master_cf(listen: int | str, more: str = "") -> str:
    """Its services, SMTP on that port among them; `more` are lines of further ones."""
    return f"127.0.0.1:{listen} inet n - n - - smtpd\n{_SERVICES}{more}"
