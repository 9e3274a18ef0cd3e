"""Settings: one frozen class per service, all from MAILROOM_* variables; a wrong value stops the start by name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import SettingsConfigDict

from mailroom_runtime.seals.keyring import parse_keys

from .kafka_access import KafkaAccess

PREFIX = "MAILROOM_"
SECRETS = Path("/run/secrets")  # where Docker and Kubernetes put secrets as files, named like the variables


class ServiceSettings(KafkaAccess):
    """What every service needs. Each field is the variable MAILROOM_<NAME>."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    redis: str = Field("redis://127.0.0.1:16379/0", description="URL of Redis or Valkey.")
    topic_prefix: str = Field("mailroom", description="First part of all topic names.", pattern=r"^[A-Za-z0-9._-]+$")
    partitions: int = Field(8, ge=1, le=1000, description="Partitions of each topic; chosen once, never changed.")
    data: Path = Field(Path(".data"), description="Folder for local state.")
    blobs: str = Field(
        "", description="Blob store: a folder, or s3://, gs://, az:// URL. Default: blobs in the data folder."
    )
    health_host: str = Field("127.0.0.1", description="Host of the health and metrics endpoint.")
    health_port: int = Field(0, ge=0, le=65535, description="Port of the health and metrics endpoint.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Lowest level that is logged.")
    log_format: str = Field("json", pattern="^(json|console)$", description="json, or console for people.")
    drain_s: float = Field(15.0, ge=0, description="Seconds between asking to stop and cancelling.")
    secret_keys: SecretStr = Field(SecretStr(""), description="Keys that seal secrets: ID:BASE64,… first one seals.")
    message_id_keys: SecretStr = Field(SecretStr(""), description="Keys that sign our Message-IDs; first one signs.")
    inline_limit_bytes: int = Field(200_000, ge=10_000, le=900_000, description="Largest encoded record in bytes.")
    url: str = Field("http://127.0.0.1:8080", description="Public address of the console.")
    dns_server: str = Field("", description="DNS server, HOST or HOST:PORT; empty: the system's.")
    otlp_url: str = Field("", description="OpenTelemetry traces go here (OTLP over HTTP); empty: nowhere.")

    @field_validator("secret_keys", "message_id_keys")
    @classmethod
    def _keys_parse(cls, value: SecretStr, info: Any) -> SecretStr:
        parse_keys(value.get_secret_value(), setting=f"{PREFIX}{info.field_name.upper()}")
        return value

    @field_validator("dns_server")
    @classmethod
    def _dns_server_usable(cls, value: str) -> str:
        if value:
            from mailroom_mail.trust.dns_lookup import host_and_port  # most services never load it

            host_and_port(value)
        return value

    @property
    def blob_url(self) -> str:
        """The blob store, with its default filled in."""
        return self.blobs or str(self.data / "blobs")

    def secret_ring(self) -> dict[str, bytes]:
        """The keys that seal secrets, first one for new ones."""
        return parse_keys(self.secret_keys.get_secret_value())

    def message_id_ring(self) -> dict[str, bytes]:
        """The keys that sign Message-IDs, first one for new ones."""
        return parse_keys(self.message_id_keys.get_secret_value(), setting="MAILROOM_MESSAGE_ID_KEYS")


S = TypeVar("S", bound=ServiceSettings)


def load(settings_class: type[S]) -> S:
    """The settings from the environment. A wrong value ends the process (status 2) with one line per variable."""
    try:
        return settings_class(_secrets_dir=SECRETS if SECRETS.is_dir() else None)
    except ValidationError as error:
        stop(problems(error))


def problems(error: ValidationError) -> list[str]:
    """A validation error as lines that name the variable and what is wrong, without the value."""
    return [
        f"{PREFIX}{'_'.join(str(part) for part in e['loc']).upper() or 'SETTINGS'}: {e['msg']}"
        for e in error.errors(include_input=False, include_url=False)
    ]


def stop(lines: list[str]) -> NoReturn:
    """End the process because of its settings."""
    for line in lines:
        sys.stderr.write(f"wrong setting {line}\n")
    raise SystemExit(2)
