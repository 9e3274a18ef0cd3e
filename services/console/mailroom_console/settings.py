"""Settings of the console."""

from __future__ import annotations

import re
from ipaddress import ip_network

from mailroom_runtime.process.settings import ServiceSettings
from pydantic import Field, SecretStr, field_validator


class ConsoleSettings(ServiceSettings):
    """What the console needs besides what every service needs."""

    health_port: int = Field(9106, ge=0, le=65535, description="Port of the health and metrics endpoint.")
    console_host: str = Field("127.0.0.1", description="Host that pages and API listen on.")
    console_port: int = Field(8080, ge=0, le=65535, description="Port of pages and API.")
    database: str = Field(
        "",
        description="SQLAlchemy URL: sqlite+aiosqlite:///PATH or postgresql+asyncpg://… Default: console.db in data.",
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses and networks, with commas, of the proxies in front of the console: only their "
        "X-Forwarded-For and X-Forwarded-Proto are believed.",
    )
    platform_token: SecretStr = Field(
        SecretStr(""),
        description="A token of all scopes, mr_ and at least 32 characters, that this start makes valid and that ends "
        "the one set before; `mailroom keys token` draws one. Empty: the first start draws one into the data folder.",
    )
    seed: str = Field("", pattern="^(|local)$", description="`local`: a first start makes the portal Acme.")
    erasure_days: float = Field(
        25.0, ge=4, le=365,
        description="Days within which what was erased leaves ticket.events, which is then written anew by itself.",
    )  # fmt: skip
    erasure_hour: int = Field(2, ge=0, le=23, description="The quiet hour (UTC) for it: mail waits for some seconds.")
    wait_s: float = Field(5.0, ge=0, le=60, description="Seconds that a write waits until the read model shows it.")
    session_hours: float = Field(12.0, gt=0, description="Hours that a sign-in lasts without use.")
    login_tries: int = Field(8, ge=1, description="Wrong passwords of one address or client before it must wait.")
    login_wait_s: float = Field(300.0, ge=0, description="Seconds that it must wait then.")
    forwarding_timeout_s: float = Field(120.0, gt=0, description="Seconds within which a probe mail must come back.")
    upload_limit_bytes: int = Field(25_000_000, ge=100_000, description="Largest sum of a reply's attachments.")
    services: dict[str, str] = Field(
        default_factory=lambda: {
            "ingest_smtp": "http://127.0.0.1:9101",
            "ingest_gmail": "http://127.0.0.1:9102",
            "router": "http://127.0.0.1:9103",
            "autoreply": "http://127.0.0.1:9104",
            "outbound": "http://127.0.0.1:9105",
        },
        description="Health address of each service, as a JSON object.",
    )
    allow_private_hosts: bool = Field(False, description="SMTP accounts may point into private networks.")
    smtp_ca_file: str = Field(
        "", description="CA certificates (PEM) that SMTP servers may be signed by, besides the usual."
    )
    google_api_url: str = Field("https://gmail.googleapis.com", description="Gmail API.")
    google_auth_url: str = Field("https://accounts.google.com/o/oauth2/v2/auth", description="Google's consent page.")
    google_token_url: str = Field("https://oauth2.googleapis.com/token", description="Google's token endpoint.")
    google_client_id: str = Field("", description="OAuth client id; empty: Gmail addresses cannot be connected.")
    google_client_secret: SecretStr = Field(SecretStr(""), description="OAuth client secret.")

    @field_validator("database")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if value and not value.startswith(("sqlite+aiosqlite:", "postgresql+asyncpg:")):
            raise ValueError("must start with sqlite+aiosqlite: or postgresql+asyncpg:")
        return value

    @field_validator("platform_token")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        secret = value.get_secret_value()
        if secret and not re.fullmatch(r"mr_[A-Za-z0-9_-]{32,190}", secret):
            raise ValueError("must be mr_ and 32 to 190 letters, digits, - or _; `mailroom keys token` draws one")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _known_proxies(cls, value: str) -> str:
        for each in filter(None, (part.strip() for part in value.split(","))):
            if ip_network(each, strict=False).prefixlen == 0:
                raise ValueError("trusting every address would let anybody say who they are")
        return value

    @property
    def proxies(self) -> list[str]:
        """`trusted_proxies`, one each."""
        return [part.strip() for part in self.trusted_proxies.split(",") if part.strip()]

    @property
    def database_url(self) -> str:
        """The database, with its default filled in."""
        return self.database or f"sqlite+aiosqlite:///{self.data / 'console.db'}"

    @property
    def secure(self) -> bool:
        """Whether people reach the console over HTTPS; cookies are Secure then."""
        return self.url.startswith("https:")
