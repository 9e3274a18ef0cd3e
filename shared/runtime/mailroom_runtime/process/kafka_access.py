"""Settings of how Kafka is reached: where it is, encrypted or not, and as whom."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")


class KafkaAccess(BaseSettings):
    """MAILROOM_KAFKA and MAILROOM_KAFKA_*, the same for every service and the command line."""

    kafka: str = Field("127.0.0.1:19092", description="Bootstrap servers of Kafka.", min_length=3)
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."
    )
    kafka_ca_file: Path | None = Field(
        None, description="PEM: who signed the brokers' certificates. None: the system's."
    )
    kafka_cert_file: Path | None = Field(None, description="PEM: our own certificate (mutual TLS).")
    kafka_key_file: Path | None = Field(None, description="PEM: its key; None: it is in the certificate's file.")
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        "SCRAM-SHA-512", description="PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER."
    )
    kafka_username: str = Field("", description="User (PLAIN, SCRAM).")
    kafka_password: SecretStr = Field(SecretStr(""), description="The user's password.")
    kafka_token_url: str = Field("", description="Token endpoint (OAUTHBEARER, client credentials).")
    kafka_client_id: str = Field("", description="Client at the token endpoint.")
    kafka_client_secret: SecretStr = Field(SecretStr(""), description="The client's secret.")
    kafka_aws_region: str = Field(
        "", description="AWS region of an MSK cluster: OAUTHBEARER by IAM, with the process's AWS credentials."
    )

    @property
    def kafka_is_encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self.kafka_security in ("SSL", "SASL_SSL")

    @property
    def kafka_signs_in(self) -> bool:
        """Whether SASL is spoken."""
        return self.kafka_security.startswith("SASL_")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.kafka_is_encrypted and (self.kafka_ca_file or self.kafka_cert_file):
            raise ValueError("MAILROOM_KAFKA_SECURITY is not SSL or SASL_SSL, but certificates are given")
        if self.kafka_key_file and not self.kafka_cert_file:
            raise ValueError("MAILROOM_KAFKA_CERT_FILE is empty, but its key is given")
        for name in ("ca", "cert", "key"):
            path: Path | None = getattr(self, f"kafka_{name}_file")
            if path is not None and not path.is_file():
                raise ValueError(f"MAILROOM_KAFKA_{name.upper()}_FILE: there is no file {path}")
        if self.kafka_signs_in:
            self._may_sign_in()
        elif (
            self.kafka_username
            or self.kafka_password.get_secret_value()
            or self.kafka_token_url
            or self.kafka_aws_region
        ):
            raise ValueError("MAILROOM_KAFKA_SECURITY is not SASL_SSL or SASL_PLAINTEXT, but somebody is to sign in")
        return self

    def _may_sign_in(self) -> None:
        if self.kafka_aws_region:
            if self.kafka_sasl_mechanism != "OAUTHBEARER" or self.kafka_token_url:
                raise ValueError(
                    "MAILROOM_KAFKA_AWS_REGION means MAILROOM_KAFKA_SASL_MECHANISM=OAUTHBEARER and no MAILROOM_KAFKA_TOKEN_URL"
                )
            return
        if self.kafka_sasl_mechanism == "OAUTHBEARER":
            wanted = {"TOKEN_URL": self.kafka_token_url, "CLIENT_ID": self.kafka_client_id,
                      "CLIENT_SECRET": self.kafka_client_secret.get_secret_value()}  # fmt: skip
        else:
            wanted = {"USERNAME": self.kafka_username, "PASSWORD": self.kafka_password.get_secret_value()}
        missing = [f"MAILROOM_KAFKA_{name}" for name, value in wanted.items() if not value]
        if missing:
            raise ValueError(f"{self.kafka_sasl_mechanism} needs {' and '.join(missing)}")
