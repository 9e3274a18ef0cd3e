"""Settings of ingest_gmail. Google's own addresses and keys are `mailroom_gmail.GoogleSettings`."""

from __future__ import annotations

from mailroom_runtime.process.settings import ServiceSettings
from pydantic import Field


class IngestGmailSettings(ServiceSettings):
    """Each field is the variable MAILROOM_<NAME>."""

    health_port: int = Field(9102, ge=0, le=65535, description="Port of the health and metrics endpoint.")
    gmail_poll_s: float = Field(5.0, gt=0, description="Seconds between two looks at an inbox that gets mail.")
    gmail_idle_poll_s: float = Field(30.0, gt=0, description="Longest pause of an inbox that gets none.")
    gmail_threads: int = Field(16, ge=1, le=200, description="Calls to Google at once, over all accounts.")
    gmail_units_per_second: float = Field(
        200.0, gt=0, description="Quota units spent per account and second at the most (Google allows 250 per user)."
    )
    gmail_units_per_second_overall: float = Field(
        10_000.0, gt=0, description="The same over all accounts of this process (Google allows 20,000 per project)."
    )
    gmail_bytes_at_once: int = Field(
        48 << 20,
        ge=1 << 20,
        description="Bytes of mail in memory at once, over all accounts; about five times that is used.",
    )
    gmail_retry_refused_s: float = Field(
        3600.0, gt=0, description="How often an account that Google does not let in is tried by itself, in seconds."
    )
    gmail_pubsub_topic: str = Field("", description="Pub/Sub topic that Gmail pushes to; empty: polling only.")
    gmail_pubsub_subscription: str = Field("", description="Pull subscription of that topic.")
    gmail_pubsub_url: str = Field("https://pubsub.googleapis.com/", description="Root of the Pub/Sub API.")
