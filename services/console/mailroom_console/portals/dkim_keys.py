"""DKIM keys of a portal's domains (RFC 6376): made here, sealed for `outbound`, their public half for the DNS."""

from __future__ import annotations

import base64
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from sqlalchemy import select, update

from mailroom_console.access import audit
from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.principals import CONFIG, Principal
from mailroom_console.problems import conflict, invalid
from mailroom_console.storage.schema import portals

from .records import domains_of, publish_portal

BITS = 2048  # RFC 8301: signers must use at least 1024, should use 2048


async def make(console: Console, principal: Principal, domain: str) -> str:
    """Make the key of a domain that has none; its selector. Raises `Problem` 409 when there is one."""
    principal.require(CONFIG)
    pem = _private_pem()
    now = console.now()
    async with console.database.write() as connection:
        if domain not in await domains_of(connection, principal.portal_id):
            raise invalid("domain", say("This is not one of the portal's domains."))
        row = (await connection.execute(select(portals).where(portals.c.id == principal.portal_id))).one()
        if any(key["domain"] == domain for key in row.dkim):
            raise conflict("key_exists", say("{domain} has a key already.", domain=domain))
        selector = f"mailroom{len(row.dkim) + 1}"
        key = {"domain": domain, "selector": selector, "secret": console.sealer.seal(pem, bound_to=row.id),
               "record": public_record(pem)}  # fmt: skip
        await connection.execute(
            update(portals).where(portals.c.id == row.id)
            .values(dkim=[*row.dkim, key], revision=row.revision + 1, updated_at=now)
        )  # fmt: skip
        await audit.record(
            connection, portal_id=row.id, by=principal, action="portal.dkim_key_made", kind="portal",
            subject_id=row.id, name=domain, revision=row.revision + 1, changes={"selector": [None, selector]}, now=now,
        )  # fmt: skip
        await publish_portal(connection, row.id, now)
    return selector


async def published(console: Console, principal: Principal) -> dict[str, dict[str, str]]:
    """Of each domain with a key: `{selector, record}`, the TXT record that publishes it (RFC 6376 section 3.6.1)."""
    principal.require(CONFIG)
    async with console.database.read() as connection:
        row = (await connection.execute(select(portals).where(portals.c.id == principal.portal_id))).one()
    return {
        key["domain"]: {
            "selector": key["selector"],
            # a key made before its public half was kept is opened, which takes some milliseconds, once more each time
            "record": key.get("record") or public_record(console.sealer.open(key["secret"], bound_to=row.id)),
        }
        for key in row.dkim
    }


def public_record(pem: str) -> str:
    """The TXT record of a private key."""
    key: Any = load_pem_private_key(pem.encode(), password=None)
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


def _private_pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
