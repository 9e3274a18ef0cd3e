"""Wrong settings stop the start and name the variable, without its value."""

from __future__ import annotations

import pytest
from mailroom_runtime.process.settings import ServiceSettings, load


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAILROOM_PARTITIONS", "many"),
        ("MAILROOM_HEALTH_PORT", "99999"),
        ("MAILROOM_LOG_LEVEL", "loud"),
        ("MAILROOM_SECRET_KEYS", "k1:hunter2-not-base64"),
        ("MAILROOM_MESSAGE_ID_KEYS", "hunter2"),
        ("MAILROOM_TOPIC_PREFIX", "a b"),
        ("MAILROOM_DNS_SERVER", "127.0.0.1:dns"),
    ],
)
def test_a_wrong_value_stops_the_start(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stop:
        load(ServiceSettings)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert name in said
    assert len(said.strip().splitlines()) == 1
    assert "hunter2" not in said


def test_defaults_are_the_local_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAILROOM_KAFKA", "MAILROOM_REDIS"):
        monkeypatch.delenv(name, raising=False)
    settings = load(ServiceSettings)
    assert settings.kafka == "127.0.0.1:19092"
    assert settings.blob_url.endswith("blobs")
    assert "SecretStr" in repr(settings.secret_keys)
