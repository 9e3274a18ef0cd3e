"""What docs/subscribing.md tells a subscriber works as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from mailroom_contracts import Actor, Assigned
from mailroom_contracts import topics as names
from mailroom_runtime.bus.kafka import Producer
from mailroom_runtime.process.settings import ServiceSettings
from support.authorities import as_given
from support.documented import commands
from support.waiting import eventually

ROOT = Path(__file__).resolve().parents[3]
UV = Path(sys.executable).parent / "uv"
INSTALL, READ = "pip install ./shared/contracts aiokafka", "python subscriber.py"
NEEDED = {
    "mailroom-contracts",
    "pydantic",
    "pydantic-core",
    "annotated-types",
    "typing-extensions",
    "typing-inspection",
}


def example() -> str:
    found = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "subscribing.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_is_short() -> None:
    lines = [line for line in example().splitlines() if line.strip() and not line.startswith(("import", "from"))]
    assert len(lines) <= 15


async def test_the_example_reads_events_and_skips_unknown_types(kafka: str, topics: str, tmp_path: Path) -> None:
    said = tmp_path / "out"
    (tmp_path / "subscriber.py").write_text(example())
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    env = {"MAILROOM_KAFKA": kafka, "MAILROOM_TOPIC_PREFIX": topics, "PATH": path}
    with said.open("wb") as out:
        subscriber = subprocess.Popen(
            shlex.split(READ), cwd=tmp_path, env=env, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        settings = ServiceSettings(kafka=kafka, topic_prefix=topics, partitions=4)
        async with Producer(settings, source="test") as producer:
            name = names.TICKET_EVENTS.full_name(topics)
            await (await producer.post_raw(name, key=b"t1", value=b'{"type": "ticket.danced"}', headers=[]))
            event = Assigned(
                id="e1", ticket_id="t1", portal_id="p1", version=2, at=datetime.now(UTC), causation_id="c1",
                actor=Actor(kind="router"), assignee_id="a1",
            )  # fmt: skip
            await producer.send(names.TICKET_EVENTS, event)
        await eventually(lambda: "t1 2 ticket.assigned" in said.read_text(), 30)
        assert "danced" not in said.read_text()
        assert "Traceback" not in said.read_text()
    finally:
        subscriber.kill()
        subscriber.wait()


def test_the_contracts_need_pydantic_and_nothing_else(tmp_path: Path) -> None:
    python = environment(tmp_path)
    subprocess.run(
        [UV, "pip", "install", "-q", "--python", python, str(ROOT / "shared" / "contracts")], env=as_given(), check=True
    )
    assert packages(python) == NEEDED
    made = "from mailroom_contracts import schema_form, schemas; assert schemas.generated(schema_form.Published())"
    subprocess.run([python, "-c", made], check=True)


def test_what_the_document_installs_is_enough_for_its_example(tmp_path: Path) -> None:
    python = environment(tmp_path)
    words = shlex.split(INSTALL)
    subprocess.run([UV, *words[:2], "-q", "--python", python, *words[2:]], cwd=ROOT, env=as_given(), check=True)
    assert packages(python) - NEEDED <= {"aiokafka", "async-timeout", "packaging"}
    imports = "\n".join(line for line in example().splitlines() if line.startswith(("import", "from")))
    subprocess.run([python, "-c", imports], check=True)


def test_these_are_the_commands_of_the_document() -> None:
    found = commands(
        ROOT / "docs" / "subscribing.md"
    )  # those of the registry: tests/integration/cli/test_schema_registry.py
    assert [c for c in found if not c.startswith(("make ", "mailroom schemas register"))] == [INSTALL, READ]


def environment(folder: Path) -> Path:
    """The interpreter of a new, empty virtual environment."""
    subprocess.run([UV, "venv", "-q", "--python", sys.executable, folder / "venv"], check=True)
    return folder / "venv" / "bin" / "python"


def packages(python: Path) -> set[str]:
    listed = subprocess.run([UV, "pip", "list", "-q", "--python", python], check=True, capture_output=True, text=True)
    return {line.split()[0].lower() for line in listed.stdout.splitlines()[2:]}
