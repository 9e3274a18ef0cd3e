"""The story of an internal address on a fresh stack with every real part, told by the commands of README.md."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.documented import commands
from support.processes import REPOSITORY
from support.stacks import Stack

# what README names and is not for a test to run; tests/contract/test_documents.py looks at it
LONG = {"make test", "make fresh RELEASE=trixie"}
OUTER = (
    "MAKEFLAGS",
    "MFLAGS",
    "MAKELEVEL",
    "ARGS",
    "ONLY",
    "JSON",
    "STACK",
)  # a `make test` that runs this test has them


class Typist:
    """Types README's commands for one stack, and remembers them."""

    def __init__(self, stack: Stack) -> None:
        self._env = {name: value for name, value in stack.env.items() if name not in OUTER}
        self.typed: set[str] = set()

    def __call__(self, command: str, **env: str) -> str:
        """Its standard output. A command that fails, fails the test."""
        self.typed.add(command)
        done = subprocess.run(
            shlex.split(command),
            cwd=REPOSITORY,
            env={**self._env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path)
    yield made
    made.remove()


@pytest.mark.timeout(600)
def test_the_story_and_every_command_of_the_readme(stack: Stack) -> None:
    types = Typist(stack)
    assert "demo " in types("make help")

    facts = json.loads(types("make demo", JSON="1").splitlines()[-1])
    assert facts["portal_domain"] == "acme.example"
    assert (facts["address"], facts["queue"], facts["agent"]) == ("support@acme.example", "Support", "ana@acme.example")
    assert facts["second_message_ticket_id"] == facts["ticket"]["id"]
    assert facts["ticket"]["assignee"] == "ana@acme.example"
    assert facts["auto_reply"]["auto_submitted"] == "auto-replied"
    assert facts["auto_reply"]["to"] == facts["customer"]
    assert facts["refused"] == {"status": 409, "code": "receive_only"}

    status = json.loads(types("make status", JSON="1").splitlines()[-1])
    assert {part["state"] for part in status["services"].values()} == {"ready"}
    assert (stack.data / "api-token").stat().st_mode & 0o777 == 0o600
    assert "ingest_smtp" in types("make logs")

    types("make down")
    assert stack.processes() == []
    types("make up")
    ticket = httpx.get(
        f"{stack.api_url}/tickets/{facts['ticket']['id']}", headers={"Authorization": f"Bearer {stack.token}"}
    ).json()
    assert ticket["number"] == facts["ticket"]["number"]
    assert [m["kind"] for m in ticket["messages"]].count("auto_reply") == 1
    assert len([m for m in ticket["messages"] if m["direction"] == "in"]) == 2

    types("make clean")
    assert stack.processes() == []
    assert not stack.data.exists()
    assert set(commands(REPOSITORY / "README.md")) - LONG == types.typed, "a command of README.md that no test types"
