"""Tokens are renewed before they end, once over all processes; a lost race only reads, a lost write tells a person."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from mailroom_contracts import Address, AddressTokens, SmtpAccount
from mailroom_oauth import Keeper, OAuthSettings, OAuthTrouble, ProviderAway, Providers, SignInNeeded, Tokens
from mailroom_runtime.bus.kafka import BusDown
from mailroom_runtime.redis.valkey import connect
from mailroom_runtime.seals.sealing import Sealer
from support.redis_faults import losing_an_answer
from support.servers import ValkeyServer

KEYS = {"k1": b"1" * 32}


class Provider(Providers):
    """Rotates: a refresh token works once. `script` tells of the next renewals what happens instead."""

    def __init__(self) -> None:
        super().__init__(OAuthSettings())
        self.current, self.calls, self.script = 0, 0, list[object]()
        self.gate: asyncio.Event | None = None

    async def renew(self, name: str, tokens: Tokens) -> Tokens:
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.script and (said := self.script.pop(0)) is not None:
            raise said  # type: ignore[misc]
        if tokens.refresh_token != f"r{self.current}":
            raise SignInNeeded("used already", "invalid_grant")
        self.current += 1
        return Tokens(f"r{self.current}", f"a{self.current}", 1000.0 * self.current, 1000.0 * self.current + 3600)


class Store:
    """One store for all keepers of a test; `down` as long as Kafka takes nothing."""

    def __init__(self) -> None:
        self.rows: dict[str, AddressTokens] = {}
        self.down = False

    async def read(self, address_id: str) -> AddressTokens | None:
        await asyncio.sleep(0)
        return self.rows.get(address_id)

    async def write(self, tokens: AddressTokens) -> None:
        if self.down:
            raise BusDown("away")
        self.rows[tokens.address_id] = tokens


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    server = ValkeyServer(Path(tmp_path_factory.mktemp("valkey")))
    server.start()
    yield server
    server.kill()


class World:
    def __init__(self, url: str, name: str) -> None:
        self.provider, self.store, self.now = Provider(), Store(), 0.0
        self.sealer = Sealer(KEYS)
        self._url, self._name = url, name

    def keeper(self, sealer: Sealer | None = None) -> Keeper:
        """As of a process of its own."""
        return Keeper(
            self.provider, self.store, sealer or self.sealer, connect(self._url), self._name, lambda: self.now
        )

    def address(self, revision: int = 1, ends: float = 3600.0, refresh: str = "r0") -> Address:
        secret = self.sealer.seal(Tokens(refresh, "a0", 0.0, ends).sealable(), bound_to="ad3")
        smtp = SmtpAccount(host="h", port=587, tls="starttls", username="u", auth="oauth", provider="p", secret=secret,
                           secret_revision=revision)  # fmt: skip
        return Address(id="ad3", portal_id="p1", kind="smtp", email="u@a.example", queue_id="q", smtp=smtp)


@pytest.fixture
def world(valkey: ValkeyServer, request: pytest.FixtureRequest) -> World:
    return World(valkey.url, request.node.name)


async def test_a_token_is_used_while_it_lasts_and_renewed_before_it_ends(world: World) -> None:
    keeper, address = world.keeper(), world.address()
    assert await keeper.token(address) == "a0"
    world.now = 2600.0
    assert await keeper.token(address) == "a0"
    world.now = 2800.0  # it ends at 3600: 900 s before are enough for every hiccup
    assert await keeper.token(address) == "a1"
    assert await keeper.token(address) == "a1"
    assert world.provider.calls == 1


async def test_many_processes_renew_once(world: World) -> None:
    world.now = 3000.0
    world.provider.gate = asyncio.Event()
    keepers, address = [world.keeper() for _ in range(8)], world.address()
    asked = [asyncio.create_task(k.token(address)) for k in keepers for _ in range(3)]
    await asyncio.sleep(0.3)
    world.provider.gate.set()
    assert set(await asyncio.gather(*asked)) == {"a1"}
    assert world.provider.calls == 1


async def test_a_lock_whose_answer_got_lost_is_ours(world: World, valkey: ValkeyServer) -> None:
    """The connection broke after Redis took the lock and before it said so; redis-py asks again by itself."""
    world.now = 3000.0
    async with losing_an_answer(valkey.server.port, b"renewing:ad3") as (port, lost):
        keeper = Keeper(world.provider, world.store, world.sealer, connect(f"redis://127.0.0.1:{port}"), "lost")
        assert await asyncio.wait_for(keeper.token(world.address(ends=0.0)), 10) == "a1"
    assert lost == [1]


async def test_who_loses_a_race_reads_what_the_winner_wrote(world: World) -> None:
    """The winner's lock ran out (a stopped process), both used the same refresh token, the provider ended it."""
    loser, address = world.keeper(), world.address()
    world.now = 3000.0
    winner_wrote = Tokens("r1", "a1", 3000.0, 6600.0)

    async def renew(name: str, tokens: Tokens) -> Tokens:
        world.store.rows["ad3"] = AddressTokens(
            address_id="ad3", portal_id="p1", secret_revision=1, renewed_at="2026-11-30T09:00:00Z",  # type: ignore[arg-type]
            secret=world.sealer.seal(winner_wrote.sealable(), bound_to="ad3"),
        )  # fmt: skip
        raise SignInNeeded("used already", "invalid_grant")

    world.provider.renew = renew  # type: ignore[method-assign]
    assert await loser.token(address) == "a1"


async def test_a_crash_after_the_providers_answer_ends_in_words_and_not_in_silence(world: World) -> None:
    world.now, world.store.down = 3000.0, True
    address = world.address()
    first = world.keeper()
    assert await first.token(address) == "a1", "this process goes on with what it holds"
    world.store.down = False
    with pytest.raises(SignInNeeded):  # its memory is gone, and the former refresh token with it
        await world.keeper().token(address)


async def test_while_the_provider_is_away_a_token_that_lasts_is_used(world: World) -> None:
    keeper, address = world.keeper(), world.address()
    world.now = 3000.0
    world.provider.script = [ProviderAway("away"), ProviderAway("away")]
    assert await keeper.token(address) == "a0"
    world.now = 3599.0
    with pytest.raises(ProviderAway):
        await keeper.token(address)
    assert await keeper.token(address) == "a1"


async def test_a_refused_token_is_renewed_at_once_and_a_refusal_not_asked_for_again(world: World) -> None:
    keeper, address = world.keeper(), world.address()
    assert await keeper.token(address, refused="a0") == "a1"
    world.provider.script = [SignInNeeded("AADSTS65001", "AADSTS65001")]
    for _ in range(3):
        with pytest.raises(SignInNeeded):
            await keeper.token(address, refused="a1")
    assert world.provider.calls == 2
    # signed in anew: what was kept of the former sign-in is void
    world.provider.current = 40
    anew = world.address(revision=2, ends=world.now + 3600, refresh="r40")
    assert await keeper.token(anew) == "a0"


async def test_a_new_key_seals_at_once_and_nobody_signed_in_is_told(world: World) -> None:
    address = world.address()
    assert await world.keeper().token(address) == "a0"
    rotated = Sealer({"k2": b"2" * 32, **KEYS})
    assert await world.keeper(rotated).token(address) == "a1"
    assert world.store.rows["ad3"].secret.startswith("sealed:k2:")
    smtp = address.smtp
    assert smtp is not None
    with pytest.raises(OAuthTrouble, match="Sign in"):
        await world.keeper().token(
            address.model_copy(update={"smtp": smtp.model_copy(update={"secret": None, "secret_revision": 9})})
        )
