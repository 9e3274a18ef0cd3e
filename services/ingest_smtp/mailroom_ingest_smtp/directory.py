"""The configuration tables as the intake asks them."""

from __future__ import annotations

from collections.abc import Iterator

from mailroom_contracts import Address, Portal
from mailroom_runtime.bus.tables import ConfigTables

FRESH_WITHIN_S = 5.0  # DESIGN section 2, "Start-up"


class ConfigDirectory:
    """A `Directory` over the tables that follow Kafka."""

    def __init__(self, tables: ConfigTables) -> None:
        self._tables = tables

    def address_by_email(self, email: str) -> Address | None:
        return self._tables.book.address_by_email(email)

    def portal_of_domain(self, domain: str) -> Portal | None:
        return self._tables.book.portal_of_domain(domain)

    def addresses_of_portal(self, portal_id: str) -> Iterator[Address]:
        return iter(self._tables.book.addresses_of(portal_id))

    def home_domain(self) -> str | None:
        portals = self._tables.book.portals.values()
        domains = [portal.domains[0] for portal in portals if portal.active and portal.domains]
        return domains[0] if len(domains) == 1 else None

    def fresh(self) -> bool:
        return self._tables.fresh(FRESH_WITHIN_S)
