"""Hundreds of accounts in one process, and a loop that Google's blocking client never holds up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import psutil
import pytest
from mailroom_gmail import GmailClient, RawMessage
from support.gmail_desk import GmailDesk
from support.gmail_emulator import Emulator, mail
from support.gmail_proxy import Faults, Proxy
from support.processes import ServiceProcess
from support.waiting import while_it_moves

SHOP = "shop@gmail.example"
START = Callable[..., ServiceProcess]
ClientMaker = Callable[..., GmailClient]
ACCOUNTS = 200


@pytest.mark.timeout(600)  # some 40 s on a quiet machine
async def test_200_idle_accounts_take_few_threads_and_little_cpu(
    desk: GmailDesk, emulator: Emulator, google: Proxy, start_service: START
) -> None:
    address = await desk.connect("ad0", SHOP)
    for number in range(1, ACCOUNTS):
        assert address.gmail is not None
        kept = f'{{"refresh_token": "{google.sign_in(SHOP)}"}}'
        sealed = desk.office.sealer.seal(kept, bound_to=f"ad{number}")
        gmail = address.gmail.model_copy(update={"secret": sealed})
        await desk.put(address.model_copy(update={"id": f"ad{number}", "gmail": gmail}))
    env = desk.env | {"MAILROOM_GMAIL_POLL_S": "5", "MAILROOM_GMAIL_IDLE_POLL_S": "30"}
    service = start_service("ingest_gmail", env, timeout=180, anew=True)
    await while_it_moves(lambda: _looked(google), ACCOUNTS, what="first looks at the inboxes")
    process = psutil.Process(service.pid)
    begin, used = time.monotonic(), sum(process.cpu_times()[:2])
    looks = _looked(google)
    # between two looks at an idle inbox are up to 30 s
    await while_it_moves(lambda: _looked(google), looks + 2 * ACCOUNTS, stalled=90, what="two more looks at each")
    cpu = (sum(process.cpu_times()[:2]) - used) / (2 * ACCOUNTS)
    assert process.num_threads() < 50, process.num_threads()
    assert process.memory_info().rss < 400 * 2**20, process.memory_info()
    assert cpu < 0.02, f"{cpu * 1000:.1f} ms of CPU for one look"
    print(f"\n200 idle accounts: {cpu * 1000:.1f} ms CPU a look, {process.num_threads()} threads, "
          f"{process.memory_info().rss / 2**20:.0f} MB, {time.monotonic() - begin:.1f} s for two looks at each")  # fmt: skip


async def test_the_loop_goes_on_while_google_is_slow(
    google: Proxy, emulator: Emulator, client_for: ClientMaker
) -> None:
    ids = [emulator.deliver(SHOP, mail(n, "jo@c.example", SHOP, text="x" * 50_000))["id"] for n in range(20)]
    client = client_for()
    await client.profile()
    google.faults = Faults(1.0, kinds=["slow"], longest_s=0.5)
    lags: list[float] = []

    async def measure() -> None:
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(0.005)
            lags.append(time.perf_counter() - begin - 0.005)

    measuring = asyncio.create_task(measure())
    begin = time.perf_counter()
    answers = await asyncio.gather(*(client.history("1") for _ in range(8)), client.raw(ids))
    waited = time.perf_counter() - begin
    measuring.cancel()
    found = answers[-1]
    assert isinstance(found, dict)
    assert all(isinstance(m, RawMessage) for m in found.values())
    assert waited > 0.4, "Google was not slow"
    assert len(lags) > 20
    lags.sort()
    # the proxy and other tests share the machine: what counts is that no call's wait stands in the loop
    assert lags[len(lags) * 9 // 10] < 0.1
    assert max(lags) < waited / 2


def _looked(google: Proxy) -> int:
    return sum(1 for _, _, path in google.calls if path.endswith("/history"))
