"""Which tests share a process."""

from __future__ import annotations

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one process runs all tests")
def test_the_tests_of_a_file_share_a_process(request: pytest.FixtureRequest) -> None:
    # pytest-xdist keeps the group in the node's id; where the two do not get on, every process starts a stack of its own
    assert request.node.nodeid.endswith("@unit/support/test_groups.py")
