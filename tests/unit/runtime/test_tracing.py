"""One trace through all services."""

from __future__ import annotations

import pytest
from mailroom_runtime.bus.tracing import child, new_traceparent, trace_id


def test_a_child_stays_in_its_trace_with_a_span_of_its_own() -> None:
    parent = new_traceparent()
    assert trace_id(child(parent)) == trace_id(parent)
    assert child(parent) != parent


@pytest.mark.parametrize("broken", [None, "", "00-xyz-1-01", "a" * 55])
def test_a_broken_parent_starts_a_new_trace(broken: str | None) -> None:
    assert trace_id(child(broken)) is not None
