"""`make demo`, `down`, `up`: the story of a customer's mail on a fresh stack with every real part."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.stacks import Stack


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path)
    yield made
    made.remove()


@pytest.mark.timeout(600)
def test_the_story_on_a_fresh_stack_and_its_ticket_after_a_restart(stack: Stack) -> None:
    told = stack.call(script="demo.py", JSON="1")
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-3000:]
    facts = json.loads(told.stdout.splitlines()[-1])
    assert facts["portal_domain"] == "acme.example"
    assert (facts["address"], facts["queue"], facts["agent"]) == ("support@acme.example", "Support", "ana@acme.example")
    assert facts["second_message_ticket_id"] == facts["ticket"]["id"]
    assert facts["ticket"]["assignee"] == "ana@acme.example"
    assert facts["auto_reply"]["auto_submitted"] == "auto-replied"
    assert facts["auto_reply"]["to"] == facts["customer"]
    assert facts["refused"] == {"status": 409, "code": "receive_only"}
    assert {part["state"] for part in stack.status()["services"].values()} == {"ready"}
    assert (stack.data / "api-token").stat().st_mode & 0o777 == 0o600

    assert stack.call("down").returncode == 0
    assert stack.processes() == []
    up = stack.call("up")
    assert up.returncode == 0, up.stdout[-3000:] + up.stderr[-3000:]
    ticket = httpx.get(
        f"{stack.api_url}/tickets/{facts['ticket']['id']}", headers={"Authorization": f"Bearer {stack.token}"}
    ).json()
    assert ticket["number"] == facts["ticket"]["number"]
    assert [m["kind"] for m in ticket["messages"]].count("auto_reply") == 1
    assert len([m for m in ticket["messages"] if m["direction"] == "in"]) == 2
