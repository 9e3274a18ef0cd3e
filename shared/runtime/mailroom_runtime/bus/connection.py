"""How every Kafka client of ours connects: encrypted or not, and as whom."""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import Any

from aiokafka.helpers import create_ssl_context

from mailroom_runtime.process.kafka_access import KafkaAccess

from .tokens import AwsTokens, LastingTokens, TokenProvider


def connection(settings: KafkaAccess) -> dict[str, Any]:
    """What any aiokafka client is given: `AIOKafkaConsumer(**connection(settings), …)`."""
    found: dict[str, Any] = {"bootstrap_servers": settings.kafka, "security_protocol": settings.kafka_security}
    if settings.kafka_is_encrypted:
        found["ssl_context"] = tls(settings)
    if settings.kafka_signs_in:
        found["sasl_mechanism"] = settings.kafka_sasl_mechanism
        if settings.kafka_sasl_mechanism == "OAUTHBEARER":
            found["sasl_oauth_token_provider"] = token_provider(settings)
        else:
            found["sasl_plain_username"] = settings.kafka_username
            found["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    return found


def tls(settings: KafkaAccess) -> ssl.SSLContext:
    """The TLS context, made once: the brokers' names are checked, and our own certificate is shown where there is one."""
    files = (settings.kafka_ca_file, settings.kafka_cert_file, settings.kafka_key_file)
    return _context(*(str(path) if path is not None else None for path in files))


@lru_cache(maxsize=8)
def _context(ca: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext:
    context: ssl.SSLContext = create_ssl_context(cafile=ca, certfile=certificate, keyfile=key)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def token_provider(settings: KafkaAccess) -> LastingTokens:
    """One for all clients of the process, which share its token."""
    if settings.kafka_aws_region:
        return _for_aws(settings.kafka_aws_region)
    return _provider(
        settings.kafka_token_url, settings.kafka_client_id, settings.kafka_client_secret.get_secret_value(),
        str(settings.kafka_ca_file or ""),
    )  # fmt: skip


@lru_cache(maxsize=8)
def _for_aws(region: str) -> AwsTokens:
    return AwsTokens(region)


@lru_cache(maxsize=8)
def _provider(url: str, client_id: str, secret: str, ca: str) -> TokenProvider:
    return TokenProvider(url, client_id, secret, ca_file=ca or None)
