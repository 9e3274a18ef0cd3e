"""How Kafka is reached: what does not go together stops the start, and what does becomes what clients are given."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiokafka.errors import KafkaConnectionError
from mailroom_runtime.bus import tokens
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.tokens import TokenProvider
from mailroom_runtime.process.settings import ServiceSettings
from pydantic import ValidationError
from support.certificates import Authority
from support.processes import free_port


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"kafka_security": "TLS"}, "kafka_security"),
        ({"kafka_security": "SASL_SSL"}, "MAILROOM_KAFKA_USERNAME and MAILROOM_KAFKA_PASSWORD"),
        ({"kafka_security": "SASL_SSL", "kafka_username": "u"}, "MAILROOM_KAFKA_PASSWORD"),
        ({"kafka_security": "SASL_SSL", "kafka_sasl_mechanism": "OAUTHBEARER"}, "MAILROOM_KAFKA_TOKEN_URL"),
        ({"kafka_security": "SSL", "kafka_ca_file": "/no/such"}, "MAILROOM_KAFKA_CA_FILE"),
        ({"kafka_security": "SSL", "kafka_key_file": __file__}, "MAILROOM_KAFKA_CERT_FILE"),
        ({"kafka_security": "SASL_SSL", "kafka_aws_region": "eu-central-1"}, "OAUTHBEARER"),
        ({"kafka_aws_region": "eu-central-1"}, "MAILROOM_KAFKA_SECURITY"),
        ({"kafka_ca_file": __file__}, "MAILROOM_KAFKA_SECURITY"),
        ({"kafka_username": "u", "kafka_password": "hunter2"}, "MAILROOM_KAFKA_SECURITY"),
    ],
)
def test_what_does_not_go_together_is_named(given: dict[str, Any], names: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        ServiceSettings(**given)
    assert names in str(wrong.value)
    assert "hunter2" not in str(wrong.value)


def test_plain_is_the_default() -> None:
    assert connection(ServiceSettings(kafka="k:1")) == {"bootstrap_servers": "k:1", "security_protocol": "PLAINTEXT"}


def test_a_user_and_the_authority_are_handed_on(tmp_path: Path) -> None:
    settings = ServiceSettings(
        kafka_security="SASL_SSL",
        kafka_ca_file=Authority(tmp_path).ca_file,
        kafka_username="u",
        kafka_password="hunter2",
    )  # type: ignore[call-arg]
    found = connection(settings)
    assert (found["sasl_mechanism"], found["sasl_plain_username"]) == ("SCRAM-SHA-512", "u")
    assert found["sasl_plain_password"] == "hunter2"
    assert found["ssl_context"].check_hostname
    assert "hunter2" not in repr(settings)


class Endpoint:
    """A token endpoint."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: tuple[int, bytes] = (200, json.dumps({"access_token": "t1", "expires_in": 3600}).encode())
        self.url = f"http://127.0.0.1:{free_port()}/token"

    async def __call__(self, request: web.Request) -> web.Response:
        self.asked += 1
        form = await request.post()
        assert form["grant_type"] == "client_credentials"
        assert request.headers["Authorization"].startswith("Basic ")
        status, body = self.answer
        return web.Response(status=status, body=body)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    made = Endpoint()
    app = web.Application()
    app.router.add_post("/token", made)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(made.url.rsplit(":", 1)[1].split("/")[0])).start()
    yield made
    await runner.cleanup()


async def test_one_token_for_all_that_ask_until_it_ends(endpoint: Endpoint) -> None:
    provider = TokenProvider(endpoint.url, "id", "secret")
    assert set(await asyncio.gather(*(provider.token() for _ in range(10)))) == {"t1"}
    assert endpoint.asked == 1
    endpoint.answer = (200, b'{"access_token": "t2", "expires_in": 31}')
    provider._until = 0.0
    assert await provider.token() == "t2"


@pytest.mark.parametrize(
    "answer",
    [(500, b""), (401, b"{}"), (200, b""), (200, b"[]"), (200, b'{"access_token": 5}'), (200, b'{"access_token": ""}')],
)
async def test_no_token_is_told_and_never_shows_the_secret(endpoint: Endpoint, answer: tuple[int, bytes]) -> None:
    endpoint.answer = answer
    with pytest.raises(KafkaConnectionError) as none:
        await TokenProvider(endpoint.url, "id", "hunter2").token()
    assert endpoint.url in str(none.value)
    assert "hunter2" not in str(none.value)


async def test_nobody_at_the_endpoint(endpoint: Endpoint) -> None:
    with pytest.raises(KafkaConnectionError):
        await TokenProvider(f"http://127.0.0.1:{free_port()}/token", "id", "secret").token()


AWS = {"kafka_security": "SASL_SSL", "kafka_sasl_mechanism": "OAUTHBEARER", "kafka_aws_region": "eu-central-1"}


async def test_msk_is_given_tokens_that_are_signed_anew_before_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def sign(region: str) -> tuple[str, int]:
        made.append(region)
        return f"signed{len(made)}", int((time.time() + 900) * 1000)

    monkeypatch.setattr(tokens, "signed_for_aws", sign)
    provider = connection(ServiceSettings(**AWS))["sasl_oauth_token_provider"]
    assert connection(ServiceSettings(**AWS))["sasl_oauth_token_provider"] is provider
    assert [await provider.token(), await provider.token()] == ["signed1", "signed1"]
    assert 860 < provider._until - time.monotonic() <= 870
    provider._until = 0.0
    assert await provider.token() == "signed2"
    assert made == ["eu-central-1"] * 2


async def test_without_amazons_signer_or_credentials_it_is_said_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "aws_msk_iam_sasl_signer.MSKAuthTokenProvider", None)
    with pytest.raises(KafkaConnectionError, match=r"mailroom-runtime\[msk\]"):
        await tokens.AwsTokens("eu-central-1").token()

    def no_credentials(_: str) -> tuple[str, int]:
        raise ValueError("hunter2")

    monkeypatch.setattr(tokens, "signed_for_aws", no_credentials)
    with pytest.raises(KafkaConnectionError) as none:
        await tokens.AwsTokens("eu-central-1").token()
    assert "ValueError" in str(none.value)
    assert "hunter2" not in str(none.value)


async def test_amazons_own_signer_makes_a_token_of_the_shape_that_msk_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aws_msk_iam_sasl_signer", reason="an extra: mailroom-runtime[msk]")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    provider = tokens.AwsTokens("eu-central-1")
    token = await provider.token()
    url = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    assert url.startswith("https://kafka.eu-central-1.amazonaws.com/?Action=kafka-cluster%3AConnect")
    assert "X-Amz-Signature=" in url
    assert "hunter2" not in url
    assert 800 < provider._until - time.monotonic() <= 870, "900 s, less what is kept free"
