"""The configuration as routing needs it: addresses, queues, agents and portals, and how they hang together. Pure."""

from __future__ import annotations

from mailroom_contracts import Address, Agent, Message, Portal, Queue
from mailroom_mail import comparable


class Book:
    """Filled by `apply` from the configuration topics; answers by id, by mail address and by forwarding target."""

    def __init__(self) -> None:
        self.addresses: dict[str, Address] = {}
        self.queues: dict[str, Queue] = {}
        self.agents: dict[str, Agent] = {}
        self.portals: dict[str, Portal] = {}
        self._by_email: dict[str, str] = {}
        self._linked: dict[str, set[str]] = {}

    def apply(self, topic: str, row_id: str, row: Message | None) -> None:
        """One record of a configuration topic; None deletes."""
        if topic == "addresses":
            self._address(row_id, row if isinstance(row, Address) else None)
            return
        tables: dict[str, dict[str, Message]] = {
            "queues": self.queues,  # type: ignore[dict-item]
            "agents": self.agents,  # type: ignore[dict-item]
            "portals": self.portals,  # type: ignore[dict-item]
        }
        if (table := tables.get(topic)) is not None:
            if row is None:
                table.pop(row_id, None)
            else:
                table[row_id] = row

    def _address(self, row_id: str, row: Address | None) -> None:
        old = self.addresses.pop(row_id, None)
        if old is not None:
            if self._by_email.get(comparable(old.email)) == row_id:
                del self._by_email[comparable(old.email)]
            if old.forwards_to:
                self._linked.get(old.forwards_to, set()).discard(row_id)
        if row is not None:
            self.addresses[row_id] = row
            self._by_email[comparable(row.email)] = row_id
            if row.kind == "smtp" and row.forwards_to:
                self._linked.setdefault(row.forwards_to, set()).add(row_id)

    def address(self, address_id: str | None) -> Address | None:
        """The address of that id."""
        return self.addresses.get(address_id) if address_id else None

    def by_email(self, email: str) -> Address | None:
        """The address, compared without case; a plus tag (`support+x@…`) is looked through."""
        email = comparable(email)
        if (found := self._by_email.get(email)) is None and "+" in email:
            local, _, domain = email.rpartition("@")
            found = self._by_email.get(f"{local.split('+', 1)[0]}@{domain}")
        return self.addresses.get(found) if found else None

    def linked(self, internal_id: str) -> list[Address]:
        """The active SMTP addresses that forward to this internal address, in a stable order."""
        found = (self.addresses[i] for i in sorted(self._linked.get(internal_id, ())))
        return [address for address in found if address.active]

    def is_ours(self, email: str, portal_id: str) -> bool:
        """Whether it is one of the portal's own addresses."""
        found = self.by_email(email)
        return found is not None and found.portal_id == portal_id

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
        named = list(queue.agent_ids) if queue else []
        named += [a.id for a in self.agents.values() if queue_id in a.queue_ids and a.id not in named]
        return sorted(a for a in named if self.agent(a, portal_id) is not None)

    def senders_of(self, queue_id: str, portal_id: str) -> list[Address]:
        """Active addresses of a queue that agents may reply from."""
        return sorted(
            (
                a
                for a in self.addresses.values()
                if a.portal_id == portal_id and a.queue_id == queue_id and a.active and a.kind in ("gmail", "smtp")
            ),
            key=lambda a: a.email,
        )
