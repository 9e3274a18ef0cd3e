"""One trace through all services: W3C Trace Context `traceparent` in Kafka headers."""

from __future__ import annotations

import os
import re

_FORM = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")


def new_traceparent() -> str:
    """The start of a trace."""
    drawn = os.urandom(24).hex()
    return f"00-{drawn[:32]}-{drawn[32:]}-01"


def child(traceparent: str | None) -> str:
    """A new span in the same trace; a new trace when there was none, or a broken one."""
    match = _FORM.match(traceparent or "")
    if match is None:
        return new_traceparent()
    return f"00-{match[1]}-{os.urandom(8).hex()}-{match[3]}"


def trace_id(traceparent: str | None) -> str | None:
    """The id of the trace, or None."""
    match = _FORM.match(traceparent or "")
    return match[1] if match else None
