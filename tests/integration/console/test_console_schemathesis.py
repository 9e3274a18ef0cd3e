"""Whatever a client sends, the API never fails: requests made by schemathesis from the API's own document.

Each operation is tried on things that exist, one address of each kind among them, so that the request reaches the code
that changes them.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import SkipTest

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from mailroom_console.settings import ConsoleSettings
from mailroom_runtime.bus.kafka import Producer
from support.topics import run_apart
from support.waiting import wait_until

from .conftest import Bus, Story, console_process

# of every kind of JSON, the ends of what a column holds and of what a type can say
ODD: tuple[Any, ...] = (
    None, True, -1, 2**200, -1e300, "", "x" * 3000, "a\0b", "\ud800", "2026-01-01T00:00:00",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", [None], ["x"], ["\ud800"], {"x": 1},
)  # fmt: skip


@dataclass(frozen=True)
class Site:
    """A console with a portal of this file's own; `ids` of what can be changed, by the name of the path parameter."""

    api: httpx.Client
    ids: dict[str, list[str]]
    document: dict[str, Any]

    def patches(self) -> list[str]:
        """The paths that take a PATCH."""
        return [path for path, methods in self.document["paths"].items() if "patch" in methods]

    def places(self, path: str) -> list[str]:
        """The path with each thing that exists."""
        name = path[path.find("{") + 1 : path.find("}")] if "{" in path else ""
        return [path.replace("{" + name + "}", own) for own in self.ids.get(name, ["nothing"])] if name else [path]

    def patch(self, path: str, body: Any) -> None:
        """Send it, and look at the answer."""
        # a lone surrogate is a text that JSON can carry (RFC 8259 section 8.2), escaped
        content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=True).encode()
        answer = self.api.patch(path, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code < 500, (path, content[:300], answer.status_code, answer.text[:300])
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"]


@pytest.fixture(scope="module")
def own(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ConsoleSettings, str]]:
    """A console that waits for no router: none is there to answer what is asked of tickets."""
    with console_process(kafka, tmp_path_factory.mktemp("sweep"), wait_s=0.05) as running:
        yield running


@pytest.fixture(scope="module")
def site(own: tuple[ConsoleSettings, str]) -> Iterator[Site]:
    settings, token = own
    domain = f"sweep{secrets.token_hex(4)}.example"
    base = f"{settings.url}/api/v1"
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False) as root:
        made = root.post("/portals", json={"name": domain, "domains": [domain]}).json()
        api = httpx.Client(
            base_url=base, headers={"Authorization": f"Bearer {made['api_token']}"}, timeout=30, trust_env=False
        )
        queue = api.post("/queues", json={"name": "Support"}).json()["id"]
        agent = api.post("/agents", json={"email": f"ana@{domain}", "queue_ids": [queue]}).json()["id"]
        body = {"kind": "internal", "local_part": "support", "queue_id": queue}
        address = api.post("/addresses", json=body).json()["id"]
        found = [address, *_other_kinds(settings, address, domain)]
        document = root.get("/openapi.json").json()
        ids = {"queue_id": [queue], "agent_id": [agent], "address_id": found, "index": ["0"]}
        ids["canned_id"] = [api.post("/canned", json={"name": "Hello", "text": "Hello"}).json()["id"]]
        ids |= _ticket(settings, api, Story(1, portal=made["id"], queue=queue, address=address))
        yield Site(api, ids, document)
        api.close()


def _ticket(settings: ConsoleSettings, api: httpx.Client, story: Story) -> dict[str, list[str]]:
    """A ticket with a mail, as a router writes it."""

    async def tell() -> None:
        async with Producer(settings, source="router") as producer:
            await Bus(settings, producer).events(story.created(), story.mail())

    run_apart(tell())
    wait_until(lambda: api.get(f"/tickets/{story.ticket}").json().get("messages"), 20, what="the ticket")
    return {
        "ticket_id": [story.ticket],
        "message_id": [api.get(f"/tickets/{story.ticket}").json()["messages"][0]["id"]],
    }


def _other_kinds(settings: ConsoleSettings, internal: str, domain: str) -> list[str]:
    """A Gmail and an SMTP address as they are kept: signing in and logging in are tested elsewhere."""
    gmail = {"secret": "sealed", "secret_revision": 1, "scopes": [], "label_ids": ["INBOX"], "connected_at": None}
    smtp = {"host": "smtp.invalid", "port": 465, "tls": "implicit", "username": f"o@{domain}", "password": "sealed"}
    made = []
    with sqlite3.connect(settings.data / "console.db", timeout=30) as database:
        database.row_factory = sqlite3.Row
        row = dict(database.execute("SELECT * FROM addresses WHERE id = ?", [internal]).fetchone())
        for kind, account in (("gmail", gmail), ("smtp", smtp)):
            other = row | {"id": f"{kind}-{secrets.token_hex(4)}", "kind": kind, "email": f"{kind}@other.{domain}",
                           kind: json.dumps(account)}  # fmt: skip
            columns = ", ".join(other)
            marks = ", ".join("?" for _ in other)
            database.execute(f"INSERT INTO addresses ({columns}) VALUES ({marks})", list(other.values()))
            made.append(other["id"])
    return made


def _fields(schema: dict[str, Any], document: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """The way to every field of a body, those of objects within it too."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    for branch in schema.get("anyOf", ()):
        yield from _fields(branch, document)
    for name, field in schema.get("properties", {}).items():
        yield (name,)
        for inner in _fields(field, document):
            yield (name, *inner)


def test_every_field_of_every_patch_takes_or_refuses_any_value(site: Site) -> None:
    tried = 0
    for path in site.patches():
        content = site.document["paths"][path]["patch"]["requestBody"]["content"]
        for way in _fields(content["application/json"]["schema"], site.document):
            for value in ODD:
                body: Any = value
                for name in reversed(way):
                    body = {name: body}
                for place in site.places(path):
                    site.patch(place, body)
                    tried += 1
    assert tried > 500


MODES = ("positive", "negative")


def _operations_of(site: Site) -> tuple[Any, Callable[[str], Any]]:
    """schemathesis's operations by path and method, and its mode of a name.

    Imported here: else every process of a test run pays a second for it, and one runs these tests.
    """
    from schemathesis import GenerationMode, openapi

    return openapi.from_dict(site.document), GenerationMode


@pytest.mark.parametrize("mode", MODES)
def test_bodies_as_the_document_says_or_just_not(site: Site, mode: str) -> None:
    schema, mode_of = _operations_of(site)
    for path in site.patches():
        _try(site, path, schema[path]["PATCH"].as_strategy(generation_mode=mode_of(mode)))


def _try(site: Site, path: str, bodies: Any) -> None:
    from schemathesis.core import NotSet

    @hypothesis_settings(max_examples=10, suppress_health_check=list(HealthCheck))
    @given(case=bodies)
    def change(case: Any) -> None:
        if not isinstance(case.body, NotSet):
            for place in site.places(path):
                site.patch(place, case.body)

    change()


# not here: what all tests share (sign-in's counters, the tables), and what asks strangers' servers
APART = {("post", "/session"), ("post", "/invitation"), ("post", "/rebuild"), ("post", "/smtp-check"),
         ("post", "/addresses/smtp/discover"), ("post", "/addresses/smtp/connect"), ("post", "/addresses/gmail/connect")}  # fmt: skip
MANY = 2  # cases of each operation and mode


def _operations(site: Site) -> list[tuple[str, str]]:
    """Every route of the API: reading first, deleting last."""
    order = ("get", "head", "put", "patch", "post", "delete")
    found = [(method, path) for path, methods in site.document["paths"].items() for method in methods]
    return sorted((one for one in found if one not in APART), key=lambda one: (order.index(one[0]), one[1]))


def _sweep(site: Site, mode: str, examples: int) -> int:
    """Each operation, on things that exist and on things that do not; how many requests were made."""
    schema, mode_of = _operations_of(site)
    return sum(
        _asked(site, method, path, schema[path][method.upper()].as_strategy(generation_mode=mode_of(mode)), examples)
        for method, path in _operations(site)
    )


def _asked(site: Site, method: str, path: str, cases: Any, examples: int) -> int:
    tried = 0

    @hypothesis_settings(max_examples=examples, suppress_health_check=list(HealthCheck), deadline=None)
    @given(case=cases)
    def ask(case: Any) -> None:
        nonlocal tried
        for existing in (False, True):
            if existing:
                case.path_parameters = {name: site.ids.get(name, ["nothing"])[0] for name in case.path_parameters or {}}
            answer = case.call(base_url=str(site.api.base_url).rstrip("/"), headers=dict(site.api.headers), timeout=30)
            assert answer.status_code < 500, (method, path, case.body, answer.status_code, answer.text[:500])
            tried += 1
            if method == "delete" or "{" not in path:
                break

    try:
        ask()
    except (Unsatisfiable, SkipTest):  # nothing of it can be wrong
        return tried
    return tried


@pytest.mark.parametrize("mode", MODES)
def test_no_route_ever_fails(site: Site, mode: str) -> None:
    assert _sweep(site, mode, MANY) > 100


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", MODES)
def test_no_route_ever_fails_at_length(site: Site, mode: str) -> None:
    assert _sweep(site, mode, 60) > 1000


def test_the_date_from_which_gmail_is_read(site: Site) -> None:
    (gmail,) = [a for a in site.ids["address_id"] if a.startswith("gmail-")]
    answer = site.api.patch(f"/addresses/{gmail}", json={"gmail": {"import_since": "2026-01-01T02:00:00+02:00"}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["gmail"]["import_since"] == "2026-01-01T00:00:00Z"
    naive = site.api.patch(f"/addresses/{gmail}", json={"gmail": {"import_since": "2026-01-01T00:00:00"}})
    assert naive.status_code == 422
    assert naive.json()["field"] == "gmail.import_since"
    assert site.api.patch(f"/addresses/{gmail}", json={"gmail": {"import_since": None}}).status_code == 200
