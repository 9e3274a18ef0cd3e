"""Settings of the router and of its auditor."""

from __future__ import annotations

from mailroom_runtime.process.settings import ServiceSettings
from pydantic import Field


class RouterSettings(ServiceSettings):
    """MAILROOM_* variables of the router."""

    health_port: int = Field(9103, ge=0, le=65535, description="Port of the health and metrics endpoint.")
    router_batch: int = Field(500, ge=1, le=5000, description="Most records in one transaction, or one look-up.")
    router_rebuild_wait_s: float = Field(
        60, ge=0, description="How long mail that names something waits for the index to be rebuilt."
    )
    router_receipt_days: int = Field(35, ge=1, description="How long a receipt's way is remembered.")
    router_reply_days: float = Field(
        17, gt=0, description="A reply older than this is not sent: 3 days of tries, 14 of waiting for the account."
    )
    router_standstill_s: float = Field(
        25.0, gt=5, description="Seconds that mail may wait while an idle first step takes none, before a restart."
    )
    router_session_timeout_s: float = Field(10, ge=3, le=300, description="A silent worker is replaced after this.")


class AuditSettings(ServiceSettings):
    """MAILROOM_* variables of the auditor."""

    health_port: int = Field(9107, ge=0, le=65535, description="Port of the health and metrics endpoint.")
    audit_after_s: float = Field(30, gt=0, description="An input without outcome after this long is put back.")
    audit_every_s: float = Field(2, gt=0, description="Seconds between two looks.")
    audit_redeliveries: int = Field(3, ge=1, description="How often one input is put back before a person must look.")
    audit_remembered: int = Field(200_000, ge=1000, description="Most ids held in memory.")
