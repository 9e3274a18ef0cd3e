"""Settings of autoreply."""

from __future__ import annotations

from mailroom_runtime.process.settings import ServiceSettings
from pydantic import Field


class AutoreplySettings(ServiceSettings):
    """What autoreply needs beyond every service's settings."""

    health_port: int = Field(9104, ge=0, le=65535, description="Port of the health and metrics endpoint.")
    autoreply_interval_s: int = Field(
        86_400, ge=0, description="Seconds in which a sender gets one automatic reply of an address."
    )
    autoreply_per_hour: int = Field(
        10, ge=1, description="Automatic mails to one sender within an hour, over all addresses."
    )
