"""Fixtures for every kind of test: a real Kafka for the run, all its processes together, a real Valkey per test, topics under a prefix of its own.

Kafka, in this order: `MAILROOM_TEST_KAFKA` (a bootstrap address), a container when a Docker engine answers
(`MAILROOM_TEST_ENGINE=local` forbids that), else a local broker on free ports. Fault tests take `kafka_server`, a broker of their own that they may stop and pause.
"""

from __future__ import annotations

import gc
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from support.authorities import know_nobody
from support.containers import KafkaContainer, ValkeyContainer, engine_problem
from support.processes import ServiceProcess
from support.servers import KafkaServer, ValkeyServer
from support.sharing import shared_by_workers
from support.topics import create_topics, delete_topics, run_apart

HERE = Path(__file__).parent

know_nobody()

# In CI the same examples in every run, so that red means the change; elsewhere new ones, to find more. No deadlines:
# the machine is shared, and what must be fast has a benchmark.
hypothesis_settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis_settings.register_profile("dev", deadline=None)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "dev")


# In one process the quick ones come first. `make test` runs several processes (pytest-xdist): what takes longest in one
# piece begins first there, so that the processes end together.
QUICK_FIRST = ("unit", "contract", "fuzz", "integration", "e2e", "load", "browser")
LONG_FIRST = (
    "browser", "load", "integration/router", "integration/outbound", "integration/ingest_gmail", "e2e",
    "integration/console", "integration", "contract", "fuzz", "unit/support", "unit",
)  # fmt: skip
# What one process runs in one piece, since its tests share something that is dear to start: these folders and files,
# and elsewhere a file, but for tests that start everything for themselves.
TOGETHER = ("browser", "integration/runtime/test_rights.py", "integration/runtime/test_secured_kafka.py",
            "integration/cli/test_schema_registry.py")  # fmt: skip
APART = ("load", "e2e", "integration/router", "integration/outbound", "integration/ingest_gmail", "integration/runtime",
         "integration/local_stack", "integration/cli")  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the kinds of tests."""
    order = LONG_FIRST if "PYTEST_XDIST_WORKER" in os.environ else QUICK_FIRST

    @cache
    def place(path: Path) -> int:
        file = path.relative_to(HERE)
        return next((n for n, folder in enumerate(order) if file.is_relative_to(folder)), len(order))

    items.sort(key=lambda item: place(item.path))


def pytest_collection_finish() -> None:
    """What was imported and collected is never garbage."""
    gc.freeze()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Say which tests belong to one process: here, since pytest-xdist reads it before any conftest has its turn."""
    if group := _group(item.path):
        item.add_marker(pytest.mark.xdist_group(group))


@cache
def _group(path: Path) -> str | None:
    """What the tests of a file are run together with; None where each may run anywhere."""
    file = path.relative_to(HERE)
    folders = [folder for folder in TOGETHER if file.is_relative_to(folder)]
    if folders or not any(file.is_relative_to(folder) for folder in APART):
        return [*folders, file.as_posix()][0]
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where Kafka and Valkey came from, if any test used them."""
    if engine_problem.cache_info().currsize:
        problem = engine_problem()
        terminalreporter.write_line(f"Kafka and Valkey: {'local (' + problem + ')' if problem else 'in containers'}")


ServiceStarter = Callable[..., ServiceProcess]


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap address of the run's Kafka. Shared: use `topic_prefix`, and never stop it."""
    given = os.environ.get("MAILROOM_TEST_KAFKA")
    if given:
        yield given
        return
    if not engine_problem():
        container = KafkaContainer()
        try:
            yield container.start().bootstrap
        finally:
            container.remove()
        return
    # a broker that has worked a while makes a test's topics with a third of what they cost a new one
    with shared_by_workers(tmp_path_factory.getbasetemp(), "kafka", _local_kafka) as bootstrap:
        yield bootstrap


@contextmanager
def _local_kafka(folder: Path) -> Iterator[str]:
    server = KafkaServer(folder, heap_mb=768)
    try:
        yield server.start().bootstrap
    finally:
        server.kill()


@pytest.fixture
def kafka_server(tmp_path: Path) -> Iterator[KafkaServer]:
    """A running broker of this test's own: stop(), start(), pause(), resume(), kill(); `bootstrap`."""
    server = KafkaServer(tmp_path / "kafka")
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer | ValkeyContainer]:
    """A running Valkey of this test's own: `url`, client(), stop(), start(empty=True), pause(), resume(), flush()."""
    if not engine_problem():
        container = ValkeyContainer()
        try:
            yield container.start()
        finally:
            container.remove()
        return
    server = ValkeyServer(tmp_path / "valkey")
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture
def topic_prefix() -> str:
    """A topic prefix that no other test has; no topic is made yet."""
    return f"t{secrets.token_hex(5)}"


@pytest.fixture
def partitions() -> int:
    """How many partitions `topics` have: what a broker has to do for a test grows with them."""
    return 4


@pytest.fixture
def topics(kafka: str, topic_prefix: str, partitions: int) -> Iterator[str]:
    """Every topic of Mailroom on the run's Kafka under the prefix that this gives; deleted after."""
    run_apart(create_topics(kafka, topic_prefix, partitions))
    yield topic_prefix
    run_apart(delete_topics(kafka, topic_prefix))


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[ServiceStarter]:
    """start_service("router", env, ready=True, extra=[], module=None): a ServiceProcess, killed after the test.

    `anew`: in a new interpreter, for tests that measure the process; so is what has a PYTHONPATH of its own.
    """
    started: list[ServiceProcess] = []

    def start(
        name: str,
        env: dict[str, str],
        *,
        ready: bool = True,
        timeout: float = 120.0,
        extra: tuple[str, ...] = (),
        module: str | None = None,
        anew: bool = False,
    ) -> ServiceProcess:
        log = tmp_path / "logs" / f"{name}-{len(started)}.log"
        forked = not anew and "PYTHONPATH" not in env
        process = ServiceProcess(name, env, log, extra=extra, module=module, forked=forked)
        started.append(process)
        process.launch()
        return process.wait_ready(timeout) if ready else process

    yield start
    for process in started:
        process.kill()
