"""Mail Autoconfig documents (draft-ietf-mailmaint-autoconfig, Thunderbird's config-v1.1): the submission server in one. Pure."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from .presets import Preset

LARGEST = 64 * 1024
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}")
_TLS = {"SSL": "implicit", "STARTTLS": "starttls"}


def submission(document: bytes, email: str) -> tuple[Preset, str] | None:
    """The first outgoing server that takes TLS, with the login name; None where the document has none.

    Documents with a DTD are not read: entities could make a small one large.
    """
    if len(document) > LARGEST or b"<!" in document.replace(b"<!--", b""):
        return None
    try:
        root = ET.fromstring(document)  # noqa: S314 - no DTD, so no entities; 64 kB at most
    except ET.ParseError:
        return None
    for server in root.iter("outgoingServer"):
        found = {child.tag: (child.text or "").strip() for child in server if child.tag != "authentication"}
        methods = [(child.text or "").strip() for child in server if child.tag == "authentication"]
        host, tls, port = found.get("hostname", ""), _TLS.get(found.get("socketType", "")), found.get("port", "")
        if server.get("type") != "smtp" or tls is None or len(host) > 253 or not _HOST.fullmatch(host):
            continue
        if not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):
            continue
        local, _, domain = email.rpartition("@")
        login = found.get("username") or "%EMAILADDRESS%"
        for name, value in (("%EMAILADDRESS%", email), ("%EMAILLOCALPART%", local), ("%EMAILDOMAIN%", domain)):
            login = login.replace(name, value)
        note = "It takes a sign-in only, no passwords." if methods and set(methods) == {"OAuth2"} else ""
        name = (root.findtext("emailProvider/displayName") or domain).strip()[:60]
        return Preset(name, host.lower(), int(port), tls, note=note), login if login.isprintable() else email
    return None
