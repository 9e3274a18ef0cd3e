"""Settings of the SMTP and LMTP intake. Each field is the variable MAILROOM_<NAME>."""

from __future__ import annotations

import socket
import ssl
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from mailroom_runtime.process.settings import ServiceSettings
from pydantic import Field, field_validator, model_validator

Network = IPv4Network | IPv6Network


class IngestSmtpSettings(ServiceSettings):
    """Where it listens, what it lets in, and whom it believes."""

    health_port: int = Field(9101, ge=0, le=65535, description="Port of the health and metrics endpoint.")

    smtp_host: str = Field("127.0.0.1", description="Address that SMTP and LMTP listen on; 0.0.0.0 or :: for all.")
    smtp_port: int = Field(2525, ge=0, le=65535, description="Port of SMTP; 0: no SMTP.")
    lmtp_port: int = Field(2424, ge=0, le=65535, description="Port of LMTP; 0: no LMTP.")
    smtp_hostname: str = Field(
        "", pattern=r"^[A-Za-z0-9.-]*$", description="Name in greetings. Default: the machine's own name."
    )

    smtp_max_size: int = Field(
        52_428_800, ge=10_000, le=1_000_000_000, description="Largest mail in bytes (RFC 1870): 552 5.3.4 beyond."
    )
    smtp_max_recipients: int = Field(
        100, ge=1, le=1000, description="Recipients of one mail: 452 4.5.3 beyond (RFC 5321 wants at least 100)."
    )
    smtp_max_connections: int = Field(500, ge=1, le=100_000, description="Connections to one process: 421 beyond.")
    smtp_max_connections_per_client: int = Field(
        100, ge=1, le=100_000, description="Connections of one client address (IPv6: its /64); trusted fronts are free."
    )
    smtp_max_commands: int = Field(
        1000, ge=10, description="Commands since the last accepted mail: 421 4.7.0 beyond, and the connection ends."
    )
    smtp_max_errors: int = Field(
        20,
        ge=1,
        description="Refused commands since the last accepted mail: 421 4.7.0 beyond, and the connection ends.",
    )
    smtp_max_command_line: int = Field(
        4096, ge=512, le=65536, description="Longest command line in bytes: 500 5.5.2 beyond."
    )
    smtp_idle_timeout_s: float = Field(
        300.0, gt=0, description="Seconds without a byte from the client: 421 4.4.2 (RFC 5321 section 4.5.3.2.7)."
    )
    smtp_data_timeout_s: float = Field(
        1800.0, gt=0, description="Seconds that one DATA may take in all, against clients that drip: 421 4.4.2."
    )
    smtp_memory_mb: int = Field(
        512, ge=1, description="Mail held in memory by one process at once, in MiB: 452 4.3.1 beyond."
    )
    smtp_accept_timeout_s: float = Field(
        30.0, gt=0, description="Seconds for blob store and Kafka to take a mail: 451 4.3.0 after that."
    )
    smtp_bare_newlines: str = Field(
        "keep",
        pattern="^(keep|refuse)$",
        description="Lone CR or LF in a mail: kept as sent, or refused. Around a dot they are always refused.",
    )

    smtp_tls_cert: Path | None = Field(None, description="Certificate chain (PEM) for STARTTLS; none: not offered.")
    smtp_tls_key: Path | None = Field(None, description="Private key (PEM); none: it stands in the certificate's file.")

    trusted_fronts: str = Field(
        "",
        description="Networks (CIDR, separated by commas) of front servers whose marks of spam (X-Spam-Flag, X-Spam, "
        "X-Spam-Status, the subject), Authentication-Results and word about their client are believed.",
    )
    trusted_proxies: str = Field(
        "",
        description="Networks (CIDR, by commas) of proxies that hand connections on and say for whom by XCLIENT. "
        "Nothing else of them is believed: what they hand on is their client's.",
    )
    trusted_authserv_ids: str = Field(
        "", description="Names that trusted front servers put first in Authentication-Results (RFC 8601), by commas."
    )
    verdicts: bool = Field(True, description="Whether SPF, DKIM and DMARC are computed on receipt.")
    verdicts_timeout_s: float = Field(3.0, gt=0, le=30, description="Seconds for all look-ups: temperror after that.")

    @field_validator("smtp_tls_cert", "smtp_tls_key")
    @classmethod
    def _is_readable(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                value.read_bytes()
            except OSError as error:
                raise ValueError(f"cannot read the file: {error.strerror}") from None
        return value

    @field_validator("trusted_fronts", "trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        networks(value)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> IngestSmtpSettings:
        if not self.smtp_port and not self.lmtp_port:
            raise ValueError("MAILROOM_SMTP_PORT and MAILROOM_LMTP_PORT are both 0: there is nothing to listen on")
        if self.smtp_port and self.smtp_port == self.lmtp_port:
            raise ValueError("MAILROOM_LMTP_PORT is the same as MAILROOM_SMTP_PORT")
        if self.smtp_tls_key and not self.smtp_tls_cert:
            raise ValueError("MAILROOM_SMTP_TLS_CERT is missing, MAILROOM_SMTP_TLS_KEY alone does nothing")
        if self.smtp_tls_cert:
            try:
                self.tls_context()
            except (ssl.SSLError, OSError) as error:
                raise ValueError(f"MAILROOM_SMTP_TLS_CERT and its key do not work: {error}") from None
        return self

    @property
    def hostname(self) -> str:
        """What greetings call this server."""
        return self.smtp_hostname or socket.gethostname() or "localhost"

    @property
    def front_networks(self) -> tuple[Network, ...]:
        """Networks of trusted front servers."""
        return networks(self.trusted_fronts)

    @property
    def proxy_networks(self) -> tuple[Network, ...]:
        """Networks of trusted proxies."""
        return networks(self.trusted_proxies)

    @property
    def authserv_ids(self) -> frozenset[str]:
        """Lower-case names whose Authentication-Results count."""
        return frozenset(name.strip().lower() for name in self.trusted_authserv_ids.split(",") if name.strip())

    def tls_context(self) -> ssl.SSLContext | None:
        """What STARTTLS uses, or None. Raises ssl.SSLError or OSError when certificate and key do not work."""
        if self.smtp_tls_cert is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.smtp_tls_cert, self.smtp_tls_key)
        return context


def networks(text: str) -> tuple[Network, ...]:
    """Networks from a list by commas. Raises ValueError naming the wrong one."""
    found: list[Network] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        try:
            found.append(ip_network(part, strict=False))
        except ValueError:
            raise ValueError(f"{part!r} is no network such as 192.0.2.0/24") from None
    return tuple(found)
