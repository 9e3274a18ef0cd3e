"""Tokens of addresses that signed in: kept, and renewed well before they end, once over all processes.

Kept are they on the topic `address.tokens` (the sign-in's first ones in the address itself); a lock in Redis lets one process
renew. A provider that rotates refresh tokens kills the old one at once: who loses the race reads what the winner wrote. A crash
between the provider's answer and our write can lose a rotated token; then the address needs attention, and says so.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import redis.asyncio
from mailroom_contracts import Address, AddressTokens
from mailroom_runtime.bus.kafka import BusDown
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.redis.valkey import REDIS_DOWN
from mailroom_runtime.seals.sealing import SealBroken, Sealer

from .grants import Tokens
from .sign_in import Providers
from .trouble import OAuthTrouble, ProviderAway, SignInNeeded

log = get_logger()
LOCKED_S = 90.0  # longer than any renewal: a call to the provider, and the write to Kafka
WAIT_S = 30.0  # for somebody else's renewal
REFUSED_FOR_S = 300.0  # a refusal is not asked for again so soon, but for another sign-in
_GIVE_BACK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class TokenStore(Protocol):
    """Where renewed tokens are kept: each write is read by every process from then on."""

    async def read(self, address_id: str) -> AddressTokens | None:
        """The latest, by now at the earliest. Raises `BusDown`."""
        ...

    async def write(self, tokens: AddressTokens) -> None:
        """Raises `BusDown`."""
        ...


@dataclass(slots=True)
class _Held:
    revision: int
    tokens: Tokens
    current_key: bool = True


class Keeper:
    """Raises `OAuthTrouble`, whatever is away."""

    def __init__(
        self, providers: Providers, store: TokenStore, sealer: Sealer | None, client: redis.asyncio.Redis, prefix: str,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._providers, self._store, self._sealer, self._client = providers, store, sealer, client
        self._prefix, self._clock = prefix, clock
        self._held: dict[str, _Held] = {}
        self._refused: dict[str, tuple[int, float, OAuthTrouble]] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._give_back: Any = client.register_script(_GIVE_BACK)

    async def token(self, address: Address, *, refused: str | None = None) -> str:
        """An access token that lasts. `refused`: the one that a server did not take, so another one is wanted."""
        held = self._held.get(address.id)
        if held is not None and self._good(held, address, refused):
            return held.tokens.access_token
        if (before := self._refused.get(address.id)) is not None:
            revision, at, trouble = before
            if revision == self._revision(address) and self._clock() < at + REFUSED_FOR_S:
                raise trouble
        async with self._turns.setdefault(address.id, asyncio.Lock()):
            held = self._held.get(address.id)
            if held is None or not self._good(held, address, refused):
                held = await self._fetch(address, refused)
            return held.tokens.access_token

    async def present(self, address: Address) -> Tokens:
        """The tokens as they are kept now, ended or not: to take them back at the provider."""
        return (await self._kept(address)).tokens

    def forget(self, address_id: str) -> None:
        """What is remembered of an address: it signed in anew, or is gone."""
        self._held.pop(address_id, None)
        self._refused.pop(address_id, None)

    async def _fetch(self, address: Address, refused: str | None) -> _Held:
        kept = await self._kept(address)
        if self._good(kept, address, refused):
            self._held[address.id] = kept
            return kept
        try:
            self._held[address.id] = fresh = await self._renewed(address, refused)
        except ProviderAway:
            if refused is None and kept.tokens.expires_at > self._clock() + 30:
                return kept  # it was to be renewed early; it does not end yet
            raise
        except OAuthTrouble as trouble:
            self._refused[address.id] = (self._revision(address), self._clock(), trouble)
            raise
        return fresh

    async def _renewed(self, address: Address, refused: str | None) -> _Held:
        key, mine = f"{self._prefix}:renewing:{address.id}", secrets.token_hex(8)
        until = time.monotonic() + WAIT_S
        try:
            # redis-py sends a command again whose answer was lost: the second SET then finds the lock taken, by us
            while not await self._client.set(key, mine, nx=True, px=int(LOCKED_S * 1000)) and (
                await self._client.get(key) != mine
            ):
                if time.monotonic() > until:
                    raise ProviderAway("Another process has been renewing this sign-in for too long.", "locked")
                await asyncio.sleep(0.25)
                kept = await self._kept(address)
                if self._good(kept, address, refused):
                    return kept
            try:
                return await self._exchange(address, refused, time.monotonic() + LOCKED_S)
            finally:
                await self._give_back(keys=[key], args=[mine])
        except REDIS_DOWN as error:
            raise ProviderAway(
                f"The sign-in cannot be renewed now: Redis is away ({type(error).__name__}).", "redis"
            ) from None

    async def _exchange(self, address: Address, refused: str | None, locked_until: float) -> _Held:
        """Renew and keep, under the lock."""
        kept = await self._kept(address)
        if self._good(kept, address, refused):
            return kept
        try:
            tokens = await self._providers.renew(self._provider(address), kept.tokens)
        except SignInNeeded:
            # somebody else may have renewed in the meantime (a lock that ran out), which ended the token that we had
            again = await self._kept(address)
            if again.tokens.refresh_token != kept.tokens.refresh_token:
                return again
            raise
        if time.monotonic() > locked_until:
            log.warning("oauth.renewal_took_long", address_id=address.id)
        await self._write(address, tokens)
        log.info("oauth.renewed", address_id=address.id, provider=self._provider(address))
        return _Held(self._revision(address), tokens)

    async def _write(self, address: Address, tokens: Tokens) -> None:
        """Until Kafka has it: the provider may have ended the former refresh token already."""
        sealed = self._sealer_of().seal(tokens.sealable(), bound_to=address.id)
        record = AddressTokens(
            address_id=address.id, portal_id=address.portal_id, secret_revision=self._revision(address), secret=sealed,
            renewed_at=datetime.fromtimestamp(tokens.issued_at, UTC),
        )  # fmt: skip
        for last in (False, False, False, True):
            try:
                await self._store.write(record)
                return
            except BusDown as error:
                if last:
                    # kept here at least: this process goes on, and writes again with the next renewal
                    log.error("oauth.renewal_not_kept", address_id=address.id, reason=str(error)[:200])

    async def _kept(self, address: Address) -> _Held:
        try:
            record = await self._store.read(address.id)
        except BusDown as error:
            raise ProviderAway(f"The sign-in cannot be read now: {error}", "kafka") from None
        revision = self._revision(address)
        sealed = record.secret if record is not None and record.secret_revision == revision else None
        if sealed is None:
            sealed = address.smtp.secret if address.smtp is not None else None
        if not sealed:
            raise SignInNeeded("Nobody is signed in for this address. Sign in.", "not_signed_in")
        sealer = self._sealer_of()
        try:
            tokens = Tokens.kept(sealer.open(sealed, bound_to=address.id))
        except SealBroken as error:
            raise SignInNeeded(f"The stored sign-in cannot be opened: {error}. Sign in again.", "sealed") from None
        except ValueError as error:
            raise SignInNeeded(f"It cannot be used: {error}. Sign in again.", "broken") from None
        return _Held(revision, tokens, not sealer.needs_rotation(sealed))

    def _good(self, held: _Held, address: Address, refused: str | None) -> bool:
        return (
            held.revision == self._revision(address)
            and held.current_key  # a new key is in use: what an older one sealed is renewed, so that it can go
            and held.tokens.access_token != refused
            and held.tokens.lasts(self._clock())
        )

    def _sealer_of(self) -> Sealer:
        if self._sealer is None:
            raise OAuthTrouble("Sign-ins cannot be opened here: MAILROOM_SECRET_KEYS is empty.", "no_keys")
        return self._sealer

    @staticmethod
    def _revision(address: Address) -> int:
        return address.smtp.secret_revision if address.smtp is not None else 0

    @staticmethod
    def _provider(address: Address) -> str:
        return (address.smtp.provider if address.smtp is not None else None) or ""
