from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

_PATH = Path(__file__).with_name("dns_server.py")


def _load() -> Any:
    """The server's module, whatever the import mode of the run."""
    name = "mailroom_tests_dns_server"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, _PATH)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture
async def dns_server() -> AsyncIterator[Any]:
    """A DNS server on loopback: `.zone` for its records, `.address` for HOST:PORT."""
    async with _load().DnsServer() as server:
        yield server
