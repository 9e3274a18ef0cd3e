"""The configuration as services need it: portals, addresses, queues, agents, and how they hang together. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from mailroom_contracts import Address, Agent, Message, Portal, Queue
from mailroom_mail import comparable

_NEVER = datetime.min.replace(tzinfo=UTC)


class Claims:
    """Who claims a name (a mail domain, an address): of several rows the one that was changed last.

    Rows of different keys are read in any order, so a name that moved from one row to another is claimed by both for a
    while, or by the old one after the new one. The answer must not depend on which was read first.
    """

    def __init__(self) -> None:
        self._claims: dict[str, dict[str, tuple[datetime, int]]] = {}

    def move(self, row_id: str, old: Iterable[str], new: Iterable[str], at: datetime | None, revision: int) -> None:
        """The row claimed the `old` names and now claims the `new` ones; it was changed `at` (UTC)."""
        for name in old:
            claims = self._claims.get(comparable(name), {})
            claims.pop(row_id, None)
            if not claims:
                self._claims.pop(comparable(name), None)
        for name in new:
            self._claims.setdefault(comparable(name), {})[row_id] = (at or _NEVER, revision)

    def of(self, name: str) -> str | None:
        """The id of the row that has the name, in any spelling."""
        claims = self._claims.get(comparable(name))
        return max(claims, key=lambda row_id: (claims[row_id], row_id)) if claims else None


class Groups:
    """Which rows belong to a key, so that no mail's way costs more where many rows belong to other keys."""

    def __init__(self) -> None:
        self._rows: dict[Any, set[str]] = {}

    def move(self, row_id: str, old: Iterable[Any], new: Iterable[Any]) -> None:
        """The row belonged to the `old` keys and now belongs to the `new` ones."""
        for key in old:
            rows = self._rows.get(key, set())
            rows.discard(row_id)
            if not rows:
                self._rows.pop(key, None)
        for key in new:
            self._rows.setdefault(key, set()).add(row_id)

    def of(self, key: Any) -> list[str]:
        """The ids of the key's rows, in order."""
        return sorted(self._rows.get(key, ()))


class Book:
    """Filled by `apply` from the configuration topics; answers by id, mail address, domain and forwarding target."""

    def __init__(self) -> None:
        self.addresses: dict[str, Address] = {}
        self.queues: dict[str, Queue] = {}
        self.agents: dict[str, Agent] = {}
        self.portals: dict[str, Portal] = {}
        self._tables: dict[str, dict[str, Any]] = {
            "addresses": self.addresses, "queues": self.queues, "agents": self.agents, "portals": self.portals,
        }  # fmt: skip
        self._emails = Claims()
        self._domains = Claims()
        self._linked = Groups()  # an internal address to those that forward to it
        self._lists = Groups()  # (portal, list) to the addresses that name it
        self._portals_addresses = Groups()
        self._queues_addresses = Groups()
        self._queues_agents = Groups()  # by what agents say; queues name others beside
        self._portals_queues = Groups()

    def apply(self, topic: str, row_id: str, row: Message | None) -> None:
        """One record of a configuration topic, by its short name; None deletes."""
        table = self._tables.get(topic)
        if table is None:
            return
        old = table.pop(row_id, None)
        if row is not None:
            table[row_id] = row
        if topic == "addresses":
            self._index_address(row_id, old, row if isinstance(row, Address) else None)
        elif topic == "portals":
            new = row if isinstance(row, Portal) else None
            self._domains.move(row_id, old.domains if old else (), new.domains if new else (),
                               new.updated_at if new else None, new.revision if new else 0)  # fmt: skip
        elif topic == "agents":
            self._queues_agents.move(
                row_id, old.queue_ids if old else (), row.queue_ids if isinstance(row, Agent) else ()
            )
        elif topic == "queues":
            self._portals_queues.move(
                row_id, (old.portal_id,) if old else (), (row.portal_id,) if isinstance(row, Queue) else ()
            )

    def count(self, topic: str) -> int:
        """How many rows there are of a topic, by its short name."""
        return len(self._tables[topic])

    def _index_address(self, row_id: str, old: Address | None, new: Address | None) -> None:
        self._emails.move(row_id, (old.email,) if old else (), (new.email,) if new else (),
                          new.updated_at if new else None, new.revision if new else 0)  # fmt: skip
        for groups, keys in (
            (self._linked, _target), (self._lists, _lists), (self._portals_addresses, _portal), (self._queues_addresses, _queue),
        ):  # fmt: skip
            groups.move(row_id, keys(old) if old else (), keys(new) if new else ())

    def portal_of_domain(self, domain: str) -> Portal | None:
        """The portal that hosts this mail domain."""
        found = self._domains.of(domain)
        return self.portals.get(found) if found else None

    def address(self, address_id: str | None) -> Address | None:
        """The address of that id."""
        return self.addresses.get(address_id) if address_id else None

    def address_by_email(self, email: str) -> Address | None:
        """The address, compared as `comparable` makes it, its plus tag included."""
        found = self._emails.of(email)
        return self.addresses.get(found) if found else None

    def by_email(self, email: str) -> Address | None:
        """The address, compared without case; a plus tag (`support+x@…`) is looked through."""
        if (found := self.address_by_email(email)) is None and "+" in email:
            local, _, domain = email.rpartition("@")
            found = self.address_by_email(f"{local.split('+', 1)[0]}@{domain}")
        return found

    def linked(self, internal_id: str) -> list[Address]:
        """The active SMTP addresses of the same portal that forward to this internal address, in a stable order."""
        internal = self.addresses.get(internal_id)
        found = (self.addresses[i] for i in self._linked.of(internal_id))
        return [a for a in found if a.active and internal is not None and a.portal_id == internal.portal_id]

    def is_ours(self, email: str, portal_id: str) -> bool:
        """Whether it is one of the portal's own addresses."""
        found = self.by_email(email)
        return found is not None and found.portal_id == portal_id

    def is_house(self, email: str, portal_id: str) -> bool:
        """Whether it is one of the portal's own addresses, or any address at a domain that we host for it."""
        plain = comparable(email)
        portal = self.portal_of_domain(plain.rpartition("@")[2])
        return (portal is not None and portal.id == portal_id) or self.is_ours(plain, portal_id)

    def addresses_of(self, portal_id: str) -> list[Address]:
        """A portal's addresses, in a stable order."""
        return [self.addresses[i] for i in self._portals_addresses.of(portal_id)]

    def queues_of(self, portal_id: str) -> list[Queue]:
        """A portal's queues, in a stable order."""
        return [self.queues[i] for i in self._portals_queues.of(portal_id)]

    def domains(self, portal_id: str) -> frozenset[str]:
        """The domains of a portal's addresses, its own included; those that anybody can have an address at are not."""
        portal = self.portals.get(portal_id)
        ours = (a for a in self.addresses_of(portal_id) if a.kind != "gmail")
        return frozenset({a.email.rpartition("@")[2].lower() for a in ours} | set(portal.domains if portal else ()))

    def is_named_list(self, email: str, portal_id: str) -> bool:
        """Whether an address of the portal names this one (`comparable`) as a mailing list."""
        return bool(self._lists.of((portal_id, email)))

    def agent(self, agent_id: str | None, portal_id: str) -> Agent | None:
        """The active agent of that portal, or None."""
        found = self.agents.get(agent_id) if agent_id else None
        return found if found is not None and found.portal_id == portal_id and found.active else None

    def queue(self, queue_id: str | None, portal_id: str) -> Queue | None:
        """The queue of that portal, or None."""
        found = self.queues.get(queue_id) if queue_id else None
        return found if found is not None and found.portal_id == portal_id else None

    def agents_of(self, queue_id: str, portal_id: str) -> list[str]:
        """Ids of the active agents who work in a queue, whichever side of the relation names it."""
        queue = self.queue(queue_id, portal_id)
        named = {*self._queues_agents.of(queue_id), *(queue.agent_ids if queue else ())}
        return sorted(a for a in named if self.agent(a, portal_id) is not None)

    def senders_of(self, queue_id: str, portal_id: str) -> list[Address]:
        """Active addresses of a queue that agents may reply from."""
        found = (self.addresses[i] for i in self._queues_addresses.of(queue_id))
        may = (a for a in found if a.portal_id == portal_id and a.active and a.kind in ("gmail", "smtp"))
        return sorted(may, key=lambda a: a.email)


def _lists(address: Address) -> list[tuple[str, str]]:
    """The mailing lists that an address's settings name, with its portal."""
    return [(address.portal_id, comparable(one.value)) for one in address.forwarders if one.kind == "list"]


def _target(address: Address) -> list[str]:
    """The internal address that it forwards to."""
    return [address.forwards_to] if address.kind == "smtp" and address.forwards_to else []


def _portal(address: Address) -> list[str]:
    return [address.portal_id]


def _queue(address: Address) -> list[str]:
    return [address.queue_id] if address.queue_id else []
