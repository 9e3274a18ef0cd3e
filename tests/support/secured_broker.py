"""A real broker that lets nobody in without TLS and a name: SASL_SSL with SCRAM or PLAIN, and mutual TLS."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from broker import LIGHT, Broker, ensure_jars

from .certificates import Authority
from .processes import free_port
from .servers import KafkaServer

PASSWORD = "correct-horse"


@dataclass(frozen=True)
class SecuredBroker(Broker):
    """`port` is open on loopback for the tests' own hands; `sasl_port` and `tls_port` are the ways in for services."""

    sasl_port: int = 0
    tls_port: int = 0
    keystore: Path = Path()
    truststore: Path = Path()
    users: tuple[str, ...] = ()

    def properties(self) -> str:
        plain = super().properties()
        ways = {"PLAINTEXT": self.port, "SASL_SSL": self.sasl_port, "SSL": self.tls_port}
        listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in ways.items())
        jaas = "org.apache.kafka.common.security"
        entries = " ".join(f'user_{user}="{PASSWORD}"' for user in self.users)
        settings = {
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self.keystore,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.truststore,
            "listener.name.ssl.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/",
            "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN",
            "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": f"{jaas}.scram.ScramLoginModule required;",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{jaas}.scram.ScramLoginModule required;",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": f"{jaas}.plain.PlainLoginModule required {entries};",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }  # fmt: skip
        kept = [line for line in plain.splitlines() if line.partition("=")[0] not in settings]
        return "\n".join([*kept, *(f"{name}={value}" for name, value in settings.items()), ""])

    def prepare(self) -> None:
        """As any broker, with the users known from the first start on."""
        self.data.mkdir(parents=True, exist_ok=True)
        self.properties_file.write_text(self.properties())
        if (self.data / "log" / "meta.properties").exists():
            return
        scram = [
            f"--add-scram={mechanism}=[name={user},password={PASSWORD}]"
            for user in self.users for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        ]  # fmt: skip
        command = self._java(
            ensure_jars(), "kafka.tools.StorageTool", "format", "--ignore-formatted",
            "--cluster-id=c2VjdXJlZGJyb2tlcnRlcw", "-c", str(self.properties_file), *scram, heap_mb=128,
        )  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)


class SecuredKafka(KafkaServer):
    """The broker as a process."""

    def __init__(self, folder: Path, authority: Authority, *users: str) -> None:
        super().__init__(folder)
        self.broker = SecuredBroker(
            free_port(), free_port(), folder, 384, (LIGHT,), sasl_port=free_port(), tls_port=free_port(),
            keystore=authority.keystore("broker"), truststore=authority.ca_file, users=users,
        )  # fmt: skip

    @property
    def sasl(self) -> str:
        """Where SASL_SSL is spoken."""
        assert isinstance(self.broker, SecuredBroker)
        return f"127.0.0.1:{self.broker.sasl_port}"

    @property
    def tls(self) -> str:
        """Where a certificate is asked for."""
        assert isinstance(self.broker, SecuredBroker)
        return f"127.0.0.1:{self.broker.tls_port}"
