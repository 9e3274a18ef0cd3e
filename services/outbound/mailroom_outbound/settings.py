"""Settings of outbound."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote, urlsplit

from mailroom_contracts import SmtpAccount
from mailroom_runtime.process.settings import ServiceSettings
from mailroom_runtime.seals.sealing import Sealer
from pydantic import Field, SecretStr, field_validator

from .schedule import DAY_S, Policy
from .session import Waits


class OutboundSettings(ServiceSettings):
    """What outbound needs beyond every service's settings."""

    health_port: int = Field(9105, ge=0, le=65535, description="Port of the health and metrics endpoint.")
    relay_url: SecretStr = Field(
        SecretStr("smtp://127.0.0.1:2526"),
        description="The platform's relay: smtp://[user:password@]host:port (STARTTLS when offered) or smtps://…",
    )
    gmail_threads: int = Field(16, ge=1, le=200, description="Calls to Gmail at once, over all accounts.")
    relay_connections: int = Field(4, ge=1, le=200, description="Connections to the relay at once, per address.")
    helo_name: str = Field("", description="Name for EHLO; empty: the host's own name.")
    allow_private_hosts: bool = Field(False, description="SMTP accounts may be on private networks.")
    smtp_ca_file: str = Field("", description="File of further certificate authorities for SMTP accounts.")
    send_timeout_s: float = Field(
        60.0,
        gt=0,
        le=600,
        description="Longest time for handing one mail to Gmail, and how far ahead a lease is renewed.",
    )
    smtp_answer_s: float = Field(300.0, gt=0, description="Longest wait for a server's answer to MAIL or RCPT.")
    smtp_data_s: float = Field(120.0, gt=0, description="Longest wait for its answer to DATA.")
    smtp_piece_s: float = Field(180.0, gt=0, description="Longest wait for it to take the next 64 kB of a mail.")
    smtp_final_s: float = Field(600.0, gt=0, description="Longest wait for its answer to the end of a mail.")
    uncertain_retry_s: float = Field(
        3_600.0, gt=0, description="Wait before a mail that may have arrived is sent once more."
    )
    connect_timeout_s: float = Field(20.0, gt=0, le=300, description="Longest time for connecting and signing in.")
    lane_lease_s: float = Field(90.0, gt=0, description="Lease of an account's lane; longer than the send time-out.")
    retry_first_s: float = Field(60.0, gt=0, description="First wait before a mail is tried again.")
    retry_longest_s: float = Field(7_200.0, gt=0, description="Longest wait between two tries of a mail.")
    retry_max_age_s: float = Field(3 * DAY_S, gt=0, description="Age at which a mail is given up.")
    lane_retry_first_s: float = Field(5.0, gt=0, description="First wait of a whole account after it did not answer.")
    parked_max_s: float = Field(14 * DAY_S, gt=0, description="Longest wait for an account to be mended.")
    parked_retry_s: float = Field(3_600.0, gt=0, description="How often a refused account is tried by itself.")
    login_retry_s: list[Annotated[float, Field(gt=0)]] = Field(
        [60.0, 300.0, 900.0],
        max_length=10,
        description="Waits before a login that worked and is refused now is tried again.",
    )

    @field_validator("relay_url")
    @classmethod
    def _relay_parses(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("it must look like smtp://user:password@host:port")
        return value

    @field_validator("lane_lease_s")
    @classmethod
    def _lease_outlives_a_send(cls, value: float, info: object) -> float:
        data: dict[str, float] = getattr(info, "data", {})
        if value <= data.get("send_timeout_s", 0):
            raise ValueError("it must be longer than MAILROOM_SEND_TIMEOUT_S")
        return value

    def relay(self) -> tuple[SmtpAccount, str | None]:
        """The relay as an account, and its password."""
        parts = urlsplit(self.relay_url.get_secret_value())
        implicit = parts.scheme == "smtps"
        # a password must not be had by whoever takes STARTTLS out of the way; without one, TLS is taken where offered
        local = parts.hostname in ("127.0.0.1", "::1", "localhost")
        plain_mode = "starttls" if parts.password and not local else "optional"
        account = SmtpAccount(
            host=parts.hostname or "",
            port=parts.port or (465 if implicit else 25),
            tls="implicit" if implicit else plain_mode,
            username=unquote(parts.username or ""),
            max_connections=self.relay_connections,
        )
        return account, unquote(parts.password) if parts.password else None

    def sealer(self) -> Sealer | None:
        """What opens stored secrets; None without keys."""
        ring = self.secret_ring()
        return Sealer(ring) if ring else None

    def waits(self) -> Waits:
        """How long SMTP servers are waited for."""
        return Waits(self.smtp_answer_s, self.smtp_data_s, self.smtp_piece_s, self.smtp_final_s)

    def policy(self) -> Policy:
        """The schedule that these settings ask for."""
        return Policy(
            first_s=self.retry_first_s,
            longest_s=max(self.retry_longest_s, self.retry_first_s),
            max_age_s=self.retry_max_age_s,
            parked_max_s=self.parked_max_s,
            lane_first_s=self.lane_retry_first_s,
            parked_retry_s=self.parked_retry_s,
            uncertain_s=self.uncertain_retry_s,
            login_retry_s=tuple(self.login_retry_s),
        )
