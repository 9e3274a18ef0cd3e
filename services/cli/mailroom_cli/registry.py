"""A client of schema registries: the API of Confluent's, which Apicurio and others speak, too."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx
from mailroom_runtime.process.settings import ServiceSettings
from pydantic import Field, SecretStr, field_validator, model_validator

from .output import Failure

JSON_TYPE = "application/vnd.schemaregistry.v1+json"


class RegistrySettings(ServiceSettings):
    """MAILROOM_SCHEMA_REGISTRY and MAILROOM_SCHEMA_REGISTRY_*."""

    schema_registry: str = Field("", description="URL of the registry's Confluent-compatible API.")
    schema_registry_username: str = Field("", description="User, or API key.")
    schema_registry_password: SecretStr = Field(SecretStr(""), description="The user's password, or the key's secret.")
    schema_registry_token: SecretStr = Field(SecretStr(""), description="Bearer token, in place of a user.")
    schema_registry_ca_file: Path | None = Field(
        None, description="PEM: who signed the registry's certificate. None: the system's."
    )

    @field_validator("schema_registry")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if value:
            parts = urlsplit(value)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("write http://HOST:PORT or https://HOST:PORT, and the API's path where it has one")
            if "@" in parts.netloc:
                raise ValueError("a URL is shown in errors: who signs in stands in MAILROOM_SCHEMA_REGISTRY_USERNAME"
                                 " and _PASSWORD")  # fmt: skip
        return value.rstrip("/")

    @model_validator(mode="after")
    def _one_sign_in(self) -> Self:
        password = self.schema_registry_password.get_secret_value()
        if bool(self.schema_registry_username) != bool(password):
            raise ValueError("MAILROOM_SCHEMA_REGISTRY_USERNAME and _PASSWORD: one is given without the other")
        if password and self.schema_registry_token.get_secret_value():
            raise ValueError("MAILROOM_SCHEMA_REGISTRY_TOKEN and _PASSWORD: give one of them")
        if self.schema_registry_ca_file is not None and not self.schema_registry_ca_file.is_file():
            raise ValueError(f"MAILROOM_SCHEMA_REGISTRY_CA_FILE: there is no file {self.schema_registry_ca_file}")
        return self


class Refused(Exception):
    """The registry does not take this schema; the message is the registry's own."""


class Registry:
    """Calls the registry. Raises `Failure` where it does not answer, does not let us in, or is none."""

    def __init__(self, settings: RegistrySettings) -> None:
        self.url = settings.schema_registry
        headers = {"Accept": f"{JSON_TYPE}, application/json"}
        if token := settings.schema_registry_token.get_secret_value():
            headers["Authorization"] = f"Bearer {token}"
        user = settings.schema_registry_username
        try:
            trusted = ssl.create_default_context(cafile=settings.schema_registry_ca_file)
        except ssl.SSLError as error:
            raise Failure(f"MAILROOM_SCHEMA_REGISTRY_CA_FILE: {settings.schema_registry_ca_file} is no PEM") from error
        self._client = httpx.Client(
            headers=headers, timeout=httpx.Timeout(30.0), verify=trusted,
            auth=(user, settings.schema_registry_password.get_secret_value()) if user else None,
        )  # fmt: skip

    def close(self) -> None:
        self._client.close()

    def subjects(self) -> set[str]:
        """Every subject that there is."""
        answer = self._call("GET", "/subjects")
        if not isinstance(answer, list):
            raise Failure(self._no_registry())
        return set(answer)

    def known(self, subject: str, schema: str) -> dict[str, Any] | None:
        """The version and id under which a subject has this schema; None when it does not."""
        answer = self._call("POST", f"/subjects/{_part(subject)}", _body(schema), missing=True)
        return answer if isinstance(answer, dict) else None

    def register(self, subject: str, schema: str) -> None:
        """Make it the subject's newest version. Raises `Refused`."""
        self._call("POST", f"/subjects/{_part(subject)}/versions", _body(schema))

    def fits(self, subject: str, schema: str) -> bool:
        """Whether the registry would take it, by the rule that the subject has now. Raises `Refused` for no schema."""
        path = f"/compatibility/subjects/{_part(subject)}/versions"
        return bool(self._call("POST", path, _body(schema))["is_compatible"])

    def rule(self, subject: str) -> str | None:
        """The compatibility that is set for this subject; None: the registry's own holds."""
        answer = self._call("GET", f"/config/{_part(subject)}", missing=True)
        return None if answer is None else str(answer.get("compatibilityLevel"))

    def set_rule(self, subject: str, rule: str) -> None:
        self._call("PUT", f"/config/{_part(subject)}", {"compatibility": rule})

    def _call(self, method: str, path: str, body: Any = None, *, missing: bool = False) -> Any:
        """What the registry answers; with `missing`, None for 404."""
        content = None if body is None else json.dumps(body).encode()
        try:
            answer = self._client.request(
                method, self.url + path, content=content, headers={"Content-Type": JSON_TYPE} if content else None
            )
        except httpx.HTTPError as error:
            raise Failure(self._unreachable(error)) from error
        words = _words(answer)
        if answer.status_code in (401, 403):
            raise Failure(
                f"the schema registry at {self.url} does not let us {method} {path} ({answer.status_code}): set "
                "MAILROOM_SCHEMA_REGISTRY_USERNAME and _PASSWORD, or _TOKEN, of who may"
            )
        if answer.status_code in (409, 422):
            raise Refused(words)
        if answer.status_code == 404:
            if missing and words:
                return None
            raise Failure(self._no_registry())
        if not answer.is_success:
            raise Failure(
                f"the schema registry at {self.url} answered {answer.status_code} to {method} {path}: {words}"
            )
        try:
            return answer.json()
        except ValueError:
            raise Failure(self._no_registry()) from None

    def _no_registry(self) -> str:
        return (
            f"{self.url} is not the Confluent-compatible API of a schema registry: see MAILROOM_SCHEMA_REGISTRY "
            "(Apicurio has it at /apis/ccompat/v7)"
        )

    def _unreachable(self, error: httpx.HTTPError) -> str:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return (
                f"the certificate of the schema registry at {self.url} is signed by nobody known, or is another host's: "
                "name who signed it in MAILROOM_SCHEMA_REGISTRY_CA_FILE"
            )
        return (
            f"the schema registry at {self.url} does not answer ({type(error).__name__}): see MAILROOM_SCHEMA_REGISTRY"
        )


def _part(subject: str) -> str:
    return quote(subject, safe="")


def _body(schema: str) -> dict[str, str]:
    return {"schemaType": "JSON", "schema": schema}


def _words(answer: httpx.Response) -> str:
    """The registry's own words of an error; empty where it is not one of a registry's."""
    try:
        said = answer.json()
    except ValueError:
        return ""
    return str(said.get("message", "")) if isinstance(said, dict) and "error_code" in said else ""
