"""Wrong settings stop the start and name the variable."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from mailroom_ingest_smtp.settings import IngestSmtpSettings
from mailroom_runtime.process.settings import load


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MAILROOM_SMTP_PORT", "99999"),
        ("MAILROOM_SMTP_PORT", "smtp"),
        ("MAILROOM_SMTP_MAX_SIZE", "-1"),
        ("MAILROOM_SMTP_MAX_RECIPIENTS", "0"),
        ("MAILROOM_SMTP_IDLE_TIMEOUT_S", "0"),
        ("MAILROOM_SMTP_BARE_NEWLINES", "maybe"),
        ("MAILROOM_SMTP_HOSTNAME", "mx example"),
        ("MAILROOM_SMTP_TLS_CERT", "/nowhere/cert.pem"),
        ("MAILROOM_SMTP_TLS_KEY", "/dev/null"),
        ("MAILROOM_TRUSTED_FRONTS", "10.0.0.0/8,not-a-network"),
        ("MAILROOM_VERDICTS_TIMEOUT_S", "600"),
    ],
)
def test_the_variable_is_named(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as ended:
        load(IngestSmtpSettings)
    assert ended.value.code == 2
    assert variable in capsys.readouterr().err


@pytest.mark.parametrize(("smtp", "lmtp"), [("0", "0"), ("2500", "2500")])
def test_ports_must_fit_together(
    smtp: str, lmtp: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAILROOM_SMTP_PORT", smtp)
    monkeypatch.setenv("MAILROOM_LMTP_PORT", lmtp)
    with pytest.raises(SystemExit):
        load(IngestSmtpSettings)
    assert "MAILROOM_LMTP_PORT" in capsys.readouterr().err


def test_a_certificate_without_its_key_is_found_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / f"{name}.key", "-out",
             tmp_path / f"{name}.crt", "-days", "2", "-subj", "/CN=mx.mailroom.example"],
            check=True, capture_output=True,
        )  # fmt: skip
    monkeypatch.setenv("MAILROOM_SMTP_TLS_CERT", str(tmp_path / "one.crt"))
    monkeypatch.setenv("MAILROOM_SMTP_TLS_KEY", str(tmp_path / "two.key"))
    with pytest.raises(SystemExit):
        load(IngestSmtpSettings)
    assert "MAILROOM_SMTP_TLS_CERT" in capsys.readouterr().err
    monkeypatch.setenv("MAILROOM_SMTP_TLS_KEY", str(tmp_path / "one.key"))
    assert load(IngestSmtpSettings).tls_context() is not None


def test_what_is_trusted() -> None:
    settings = IngestSmtpSettings(
        trusted_fronts="192.0.2.0/24, 2001:db8::/32", trusted_authserv_ids="MX.Front.example, "
    )
    assert [str(network) for network in settings.front_networks] == ["192.0.2.0/24", "2001:db8::/32"]
    assert settings.authserv_ids == {"mx.front.example"}
    assert settings.hostname
