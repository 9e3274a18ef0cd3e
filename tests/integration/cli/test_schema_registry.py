"""`mailroom schemas register` against a real schema registry."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from mailroom_cli.__main__ import app
from mailroom_cli.output import Failure
from mailroom_cli.registry import RegistrySettings
from mailroom_cli.schemas import named
from mailroom_contracts import topics
from mailroom_contracts.compatibility import unreadable
from mailroom_contracts.schema_form import draft_07
from mailroom_contracts.schemas import models
from pydantic import ValidationError
from support.certificates import Authority
from support.made_records import made
from support.processes import REPOSITORY, free_port
from support.schema_registry import SchemaRegistry, guarded
from typer.testing import CliRunner

pytestmark = pytest.mark.timeout(300)
BASELINE = REPOSITORY / "docs" / "contracts" / "baseline"
EVENTS = topics.TICKET_EVENTS.full_name
ASK = httpx.Client(trust_env=False)
Schema = dict[str, Any]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SchemaRegistry]:
    if shutil.which("mvn") is None:
        pytest.skip("Apicurio Registry is fetched with Maven, not found on this machine")
    server = SchemaRegistry(tmp_path_factory.mktemp("registry"))
    try:
        yield server.start()
    finally:
        server.kill()


def mailroom(*arguments: str, status: int = 0, **env: str) -> str:
    """What the command says, in this process: a start of the program takes longer than most of what it does."""
    done = CliRunner().invoke(app, ["schemas", "register", *arguments], env=env)
    said: str = done.output
    if isinstance(done.exception, Failure):
        said += f"mailroom: {done.exception}\n"
    assert (done.exit_code, type(done.exception)) in ((0, type(None)), (1, Failure)), done.output
    assert done.exit_code == status, said
    return said


def rows(*arguments: str, status: int = 0, **env: str) -> dict[str, dict[str, Any]]:
    lines = mailroom("--json", *arguments, status=status, **env).splitlines()
    return {row["subject"]: row for row in json.loads(lines[0])}


def at(registry: SchemaRegistry, prefix: str) -> dict[str, str]:
    return {"MAILROOM_SCHEMA_REGISTRY": registry.url, "MAILROOM_TOPIC_PREFIX": prefix}


def post(url: str, schema: Schema) -> httpx.Response:
    return ASK.post(url, json={"schemaType": "JSON", "schema": json.dumps(schema)})


def test_all_types_of_all_topics_are_registered_and_a_repeat_changes_nothing(registry: SchemaRegistry) -> None:
    where = at(registry, "all")
    assert {row["state"] for row in rows("--dry-run", **where).values()} == {"new"}
    assert not [s for s in ASK.get(f"{registry.url}/subjects").json() if s.startswith("all.")]

    done = subprocess.run(
        [sys.executable, "-m", "mailroom_cli", "schemas", "register", "--json"],
        env={"PATH": "/usr/bin:/bin", **where}, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    first = {row["subject"]: row for row in json.loads(done.stdout)}
    assert len(first) == len(models())
    assert {(row["state"], row["version"]) for row in first.values()} == {("registered", 1)}
    assert f"{topics.ADDRESSES.full_name('all')}-value" in first
    assert f"{EVENTS('all')}-TicketCreated" in first
    again = rows(**where)
    assert {row["state"] for row in again.values()} == {"unchanged"}
    assert {s: row["id"] for s, row in again.items()} == {s: row["id"] for s, row in first.items()}
    assert {row["state"] for row in rows("--dry-run", **where).values()} == {"unchanged"}

    for subject in first:
        kept = ASK.get(f"{registry.url}/config/{subject}").json()
        assert kept == {"compatibilityLevel": "FORWARD_TRANSITIVE"}
        assert ASK.get(f"{registry.url}/subjects/{subject}/versions/latest").json()["schemaType"] == "JSON"


def test_our_records_are_valid_by_what_is_registered() -> None:
    schemas = {}
    for subject, _, text in named("valid"):
        schema = json.loads(text)
        assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
        jsonschema.Draft7Validator.check_schema(schema)
        assert schemas.setdefault(schema["title"], jsonschema.Draft7Validator(schema)).schema == schema, subject
    for line in made(5):
        schemas[line.model].validate(json.loads(line.value))


def test_the_registry_takes_todays_schemas_after_those_of_the_published_release(registry: SchemaRegistry) -> None:
    """What `make check` allowed, all of it since 0.1.0, is what FORWARD_TRANSITIVE takes."""
    earlier = 0
    for name, (topic, model) in models().items():
        path = BASELINE / f"{name}.json"
        if path.is_file():
            schema = draft_07(_without_null(json.loads(path.read_text())))
            subject = f"{topic.full_name('since')}-{'value' if len(topic.models) == 1 else model.__name__}"
            post(f"{registry.url}/subjects/{subject}/versions", schema).raise_for_status()
            earlier += 1
    found = rows(**at(registry, "since"))
    assert [row for row in found.values() if row["problem"]] == []
    assert sum(row["version"] == 2 for row in found.values()) == earlier > 20


def _without_null(value: Any) -> Any:
    """0.1.0's schemas in the form of decision 0028, which has no null: before it nothing was registered anywhere."""
    if isinstance(value, list):
        return [_without_null(each) for each in value]
    if not isinstance(value, dict):
        return value
    made = {key: _without_null(each) for key, each in value.items()}
    if {"type": "null"} in (branches := made.get("anyOf", ())):
        rest = [branch for branch in branches if branch != {"type": "null"}]
        made = {**made, "anyOf": rest} if len(rest) > 1 else rest[0]
        made = {key: each for key, each in made.items() if (key, each) != ("default", None)}
    return made


def _with(change: Callable[[Schema], object], schema: Schema) -> Schema:
    changed = copy.deepcopy(schema)
    change(changed)
    return changed


ADDED = {
    "an optional field": lambda s: s["properties"].update(later={"type": "string"}),
    "an optional list": lambda s: s["properties"].update(later={"type": "array", "items": {"type": "string"}}),
    "an optional part": lambda s: s["properties"].update(later={"$ref": "#/definitions/Actor"}),
    "an optional field of a part": lambda s: s["definitions"]["Person"]["properties"].update(later={"type": "string"}),
    "a known value": lambda s: s["properties"]["type"].update(examples=["ticket.created", "later"]),
    "other words": lambda s: s["properties"]["id"].update(description="The id."),
}  # fmt: skip
BROKEN = {
    "another type": lambda s: s["properties"]["version"].update(type="string"),
    "a field is gone": lambda s: (s["properties"].pop("portal_id"), s["required"].remove("portal_id")),
    "a field may be missing": lambda s: s["required"].remove("portal_id"),
    "another constant": lambda s: s["properties"]["type"].update(const="other"),
}  # fmt: skip


def _first(registry: SchemaRegistry, prefix: str, rule: str) -> tuple[str, Schema]:
    """A subject whose first version is that of tickets that are made."""
    subject = f"{EVENTS(prefix)}-TicketCreated"
    text = next(text for name, _, text in named(prefix) if name == subject)
    schema: Schema = json.loads(text)
    post(f"{registry.url}/subjects/{subject}/versions", schema).raise_for_status()
    ASK.put(f"{registry.url}/config/{subject}", json={"compatibility": rule}).raise_for_status()
    return f"{registry.url}/compatibility/subjects/{subject}/versions", schema


def test_its_rule_and_ours_say_the_same(registry: SchemaRegistry) -> None:
    """Ours reads `$defs`; nothing else differs."""

    def ours(schema: Schema) -> Schema:
        found: Schema = json.loads(json.dumps(schema).replace("#/definitions/", "#/$defs/"))
        return {**found, "$defs": found.pop("definitions")}

    url, schema = _first(registry, "rule", "FORWARD_TRANSITIVE")
    for fits, changes in ((True, ADDED), (False, BROKEN)):
        for name, change in changes.items():
            changed = _with(change, schema)
            assert post(url, changed).json() == {"is_compatible": fits}, name
            assert (unreadable(ours(schema), ours(changed), "ticket.events") == []) is fits, name


def test_backward_refuses_what_we_add(registry: SchemaRegistry) -> None:
    """As docs/subscribing.md says: a record by the old schema may have anything under the new name."""
    url, schema = _first(registry, "backward", "BACKWARD")
    refused = {name for name, change in ADDED.items() if not post(url, _with(change, schema)).json()["is_compatible"]}
    assert refused == {name for name in ADDED if name.startswith("an optional")}


def test_what_is_refused_is_told_and_holds_up_nothing_else(registry: SchemaRegistry) -> None:
    where = at(registry, "refused")
    subject = f"{EVENTS('refused')}-TicketCreated"
    broken = {"type": "object", "title": "TicketCreated", "properties": {"number": {"type": "integer"}}}
    post(f"{registry.url}/subjects/{subject}/versions", broken).raise_for_status()
    ASK.put(f"{registry.url}/config/{subject}", json={"compatibility": "FORWARD"}).raise_for_status()

    looked = rows("--dry-run", status=1, **where)
    assert (looked[subject]["state"], looked[subject]["compatibility"]) == ("refused", "FORWARD")
    assert ASK.get(f"{registry.url}/config/{subject}").json() == {"compatibilityLevel": "FORWARD"}

    said = mailroom("--json", status=1, **where)
    found = {row["subject"]: row for row in json.loads(said.splitlines()[0])}
    assert [name for name, row in found.items() if row["state"] == "refused"] == [subject]
    assert found[subject]["problem"]
    assert "1 of" in said
    assert "docs/subscribing.md" in said
    assert sum(row["state"] == "registered" for row in found.values()) == len(models()) - 1


def test_a_registry_with_tls_lets_in_who_may(registry: SchemaRegistry, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    with guarded(registry, authority) as url:
        known = {"MAILROOM_SCHEMA_REGISTRY": url, "MAILROOM_TOPIC_PREFIX": "tls"}
        assert "MAILROOM_SCHEMA_REGISTRY_CA_FILE" in mailroom(status=1, **known)
        known["MAILROOM_SCHEMA_REGISTRY_CA_FILE"] = str(authority.ca_file)
        user = {"MAILROOM_SCHEMA_REGISTRY_USERNAME": "mail"}
        for wrong in (
            {},
            {**user, "MAILROOM_SCHEMA_REGISTRY_PASSWORD": "s3cret"},
            {"MAILROOM_SCHEMA_REGISTRY_TOKEN": "s3cret"},
        ):
            said = mailroom(status=1, **known, **wrong)
            assert "(401)" in said
            assert "_TOKEN" in said
            assert "s3cret" not in said
        for right in (
            {**user, "MAILROOM_SCHEMA_REGISTRY_PASSWORD": "opens"},
            {"MAILROOM_SCHEMA_REGISTRY_TOKEN": "token-1"},
        ):
            assert {row["state"] for row in rows("--dry-run", **known, **right).values()} == {"new"}


def test_what_is_no_registry_is_told(registry: SchemaRegistry) -> None:
    assert "set MAILROOM_SCHEMA_REGISTRY" in mailroom(status=1)
    assert "does not answer" in mailroom(status=1, MAILROOM_SCHEMA_REGISTRY=f"http://127.0.0.1:{free_port()}")
    root = registry.url.removesuffix("/apis/ccompat/v7")
    assert "/apis/ccompat/v7" in mailroom(status=1, MAILROOM_SCHEMA_REGISTRY=root)


@pytest.mark.parametrize(
    ("settings", "named_one"),
    [
        ({"schema_registry": "registry:8081"}, "https://HOST:PORT"),
        ({"schema_registry": "https://mail:s3cret@registry"}, "_PASSWORD"),
        ({"schema_registry_username": "mail"}, "_PASSWORD"),
        (
            {"schema_registry_username": "m", "schema_registry_password": "s3cret", "schema_registry_token": "t"},
            "_TOKEN",
        ),
        ({"schema_registry_ca_file": "/nowhere.pem"}, "/nowhere.pem"),
    ],
)
def test_settings_that_do_not_go_together_are_named(settings: dict[str, str], named_one: str) -> None:
    with pytest.raises(ValidationError) as error:
        RegistrySettings(**settings)  # type: ignore[arg-type]
    assert named_one in str(error.value)
    assert "s3cret" not in str(error.value)
