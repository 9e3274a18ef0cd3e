"""Whatever a client sends in a PATCH, the API never fails: bodies made by schemathesis from the API's own document.

Each operation is tried on things that exist, one address of each kind among them, so that the request reaches the code
that changes them.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from mailroom_console.settings import ConsoleSettings
from schemathesis import GenerationMode

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
def site(shared: tuple[ConsoleSettings, str]) -> Iterator[Site]:
    settings, token = shared
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
        yield Site(api, {"queue_id": [queue], "agent_id": [agent], "address_id": found}, document)
        api.close()


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


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
def test_bodies_as_the_document_says_or_just_not(site: Site, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_dict(site.document)
    for path in site.patches():
        _try(site, path, schema[path]["PATCH"].as_strategy(generation_mode=mode))


def _try(site: Site, path: str, bodies: Any) -> None:
    @hypothesis_settings(max_examples=10, suppress_health_check=list(HealthCheck))
    @given(case=bodies)
    def change(case: Any) -> None:
        if not isinstance(case.body, schemathesis.core.NotSet):
            for place in site.places(path):
                site.patch(place, case.body)

    change()


def test_the_date_from_which_gmail_is_read(site: Site) -> None:
    (gmail,) = [a for a in site.ids["address_id"] if a.startswith("gmail-")]
    answer = site.api.patch(f"/addresses/{gmail}", json={"gmail": {"import_since": "2026-01-01T02:00:00+02:00"}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["gmail"]["import_since"] == "2026-01-01T00:00:00Z"
    naive = site.api.patch(f"/addresses/{gmail}", json={"gmail": {"import_since": "2026-01-01T00:00:00"}})
    assert naive.status_code == 422
    assert naive.json()["field"] == "gmail.import_since"
    assert site.api.patch(f"/addresses/{gmail}", json={"gmail": {"import_since": None}}).status_code == 200
