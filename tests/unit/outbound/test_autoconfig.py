"""Mail Autoconfig documents and MX names: what a submission server is taken from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_runtime.smtp.autoconfig import LARGEST, submission
from mailroom_runtime.smtp.presets import PRESETS, by_mx, preset_for

EMAIL = "help@shop.example"


def document(servers: str) -> bytes:
    return f"""<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="shop.example">
      <displayName>Shop Mail</displayName><incomingServer type="imap"><hostname>imap.shop.example</hostname><port>993</port>
      <socketType>SSL</socketType></incomingServer>{servers}</emailProvider></clientConfig>""".encode()


def outgoing(host: str = "smtp.shop.example", port: str = "587", tls: str = "STARTTLS", more: str = "") -> str:
    return (
        f'<outgoingServer type="smtp"><hostname>{host}</hostname><port>{port}</port><socketType>{tls}</socketType>'
        f"<username>%EMAILLOCALPART%</username><authentication>password-cleartext</authentication>{more}</outgoingServer>"
    )


def test_the_first_server_with_tls_is_taken() -> None:
    found = submission(document(outgoing(tls="plain") + outgoing() + outgoing("other.shop.example")), EMAIL)
    assert found is not None
    preset, login = found
    assert (preset.name, preset.host, preset.port, preset.tls, login) == (
        "Shop Mail", "smtp.shop.example", 587, "starttls", "help",
    )  # fmt: skip
    implicit = submission(document(outgoing(port="465", tls="SSL")), EMAIL)
    assert implicit is not None
    assert implicit[0].tls == "implicit"


@pytest.mark.parametrize(
    "bad",
    [
        b"", b"<", b"<html>not found</html>", document(outgoing(host="not a host")), document(outgoing(port="0")),
        document(outgoing(port="99999")), document(outgoing(host="")), document(outgoing()) + b" " * LARGEST,
        b'<!DOCTYPE a [<!ENTITY b "c">]>' + document(outgoing()).partition(b"?>")[2],
    ],
)  # fmt: skip
def test_what_is_no_such_document(bad: bytes) -> None:
    assert submission(bad, EMAIL) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_without_harm(data: bytes) -> None:
    submission(data, EMAIL)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("shop-example.mail.protection.outlook.com", "Microsoft 365"), ("shop-example.d-v1.mx.microsoft.", "Microsoft 365"),
        ("ASPMX.L.GOOGLE.COM", "Gmail"), ("alt1.aspmx.l.google.com", "Gmail"), ("in1-smtp.messagingengine.com", "Fastmail"),
        ("mx00.ionos.de", "IONOS"), ("mail.shop.example", None), ("notgoogle.com", None),
        ("google.com.evil.example", None), ("", None),
    ],
)  # fmt: skip
def test_a_companys_own_domain_is_known_by_its_mail_servers(host: str, name: str | None) -> None:
    found = by_mx(host)
    assert (found.name if found else None) == name


def test_presets_are_found_by_their_own_domains() -> None:
    for preset in PRESETS:
        for domain in preset.domains:
            assert preset_for(f"x@{domain}") == preset
        assert all(end.startswith(".") for end in preset.mx)
