"""What all connections of one process share: their number, the memory they hold, and whether the service stops."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_address, ip_network

from .replies import STOPPING, TOO_MANY_CONNECTIONS, TOO_MANY_OF_CLIENT, Reply
from .settings import Network


class House:
    """Counts guests. `limit` in all, `per_client` of one address (IPv6: one /64), `memory` bytes of mail at once."""

    def __init__(
        self,
        limit: int,
        per_client: int,
        memory: int,
        fronts: Iterable[Network] = (),
        proxies: Iterable[Network] = (),
    ) -> None:
        self._limit, self._per_client, self._memory = limit, per_client, memory
        self._fronts, self._proxies = tuple(fronts), tuple(proxies)
        self._clients: Counter[str] = Counter()
        self._held = 0
        self._listeners: set[Callable[[], None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self.stopping = False

    def __len__(self) -> int:
        return self._clients.total()

    @property
    def held(self) -> int:
        """Bytes of mail in memory."""
        return self._held

    def admit(self, client_ip: str) -> Reply | None:
        """Count a new connection, or the reply that turns it away (then nothing is counted)."""
        if self.stopping:
            return STOPPING
        if len(self) >= self._limit:
            return TOO_MANY_CONNECTIONS
        key = _key(client_ip)
        if self._clients[key] >= self._per_client and not (self.is_front(client_ip) or self.is_proxy(client_ip)):
            return TOO_MANY_OF_CLIENT
        self._clients[key] += 1
        self._empty.clear()
        return None

    def leave(self, client_ip: str) -> None:
        """A counted connection is over."""
        key = _key(client_ip)
        self._clients[key] -= 1
        if self._clients[key] <= 0:
            del self._clients[key]
        if not self._clients:
            self._empty.set()

    async def empty(self) -> None:
        """Wait until the last connection is over."""
        await self._empty.wait()

    def is_front(self, client_ip: str) -> bool:
        """Whether it is a front server whose word about spam and senders counts."""
        return _is_among(client_ip, self._fronts)

    def is_proxy(self, client_ip: str) -> bool:
        """Whether it is a proxy that may say by XCLIENT for whom it speaks, and is believed nothing else."""
        return _is_among(client_ip, self._proxies)

    def hold(self, size: int) -> bool:
        """Take `size` bytes of memory (negative: give back). False: there is not that much, nothing was taken."""
        if size > 0 and self._held + size > self._memory:
            return False
        self._held += size
        return True

    def on_stop(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` when the service stops; gives back how to take it off."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def stop(self) -> None:
        """Take no new connections and mails; those under way are finished."""
        self.stopping = True
        for listener in list(self._listeners):
            listener()


def _is_among(client_ip: str, networks: tuple[Network, ...]) -> bool:
    if not networks:
        return False
    try:
        address = ip_address(client_ip)
    except ValueError:
        return False
    return any(address in network for network in networks if network.version == address.version)


def _key(client_ip: str) -> str:
    """Clients are told apart by address; with IPv6 one customer has a whole /64."""
    if ":" not in client_ip:
        return client_ip
    try:
        address = ip_address(client_ip.partition("%")[0])
    except ValueError:
        return client_ip
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address, 64), strict=False))
