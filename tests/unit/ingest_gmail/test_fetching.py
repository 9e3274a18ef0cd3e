"""Messages are fetched in chunks of bounded bytes, over all accounts; nothing is left out but what is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_gmail import Expired, GmailClient, GmailTrouble, RawMessage, Refused, Temporary
from mailroom_gmail.trouble import from_status
from mailroom_ingest_gmail.fetching import AT_ONCE, CHUNK_BYTES, FEW, Fetching, Room, chunks

MB = 1 << 20


class _Gmail:
    """Answers with messages of these sizes; `troubles` are what it says of single ones, once for each round."""

    def __init__(self, sizes: dict[str, int], room: Room | None = None) -> None:
        self.sizes_of, self.troubles = sizes, dict[str, list[GmailTrouble]]()
        self.batches: list[list[str]] = []
        self.room = room
        self.most = 0

    async def sizes(self, ids: Sequence[str]) -> dict[str, int]:
        await asyncio.sleep(0)
        return {i: self.sizes_of[i] for i in ids}

    async def raw(self, ids: Sequence[str]) -> dict[str, RawMessage | GmailTrouble]:
        self.batches.append(list(ids))
        await asyncio.sleep(0)
        if self.room is not None:
            self.most = max(self.most, self.room._used)
        found: dict[str, RawMessage | GmailTrouble] = {}
        for i in ids:
            wrong = self.troubles.get(i)
            found[i] = wrong.pop(0) if wrong else RawMessage(i, "t", ("INBOX",), b"x", "1", int(i))
        return found


async def _spend(method: str, times: int) -> None:
    await asyncio.sleep(0)


def _fetching(gmail: _Gmail, room: Room | None = None) -> Fetching:
    return Fetching("ad1", cast(GmailClient, gmail), room or Room(1 << 40), _spend)


async def _all(fetching: Fetching, ids: Sequence[str]) -> list[str]:
    return [m.id async for _, messages in fetching.fetched(ids) for m in messages]


@given(st.lists(st.integers(0, 40 * MB), max_size=120))
def test_chunks_keep_the_order_and_are_no_longer_than_they_may(sizes: list[int]) -> None:
    by_id = {str(n): size for n, size in enumerate(sizes)}
    cut = chunks(list(by_id), by_id)
    assert [i for chunk in cut for i in chunk.ids] == list(by_id)
    for chunk in cut:
        assert len(chunk.ids) <= AT_ONCE
        assert sum(by_id[i] for i in chunk.ids) == chunk.size
        assert chunk.size <= CHUNK_BYTES or len(chunk.ids) == 1


async def test_twenty_mails_of_20_mb_are_never_in_memory_together() -> None:
    room = Room(48 * MB)
    gmail = _Gmail({str(n): 20 * MB for n in range(20)}, room)
    assert await _all(_fetching(gmail, room), list(gmail.sizes_of)) == list(gmail.sizes_of)
    assert all(len(batch) == 1 for batch in gmail.batches)
    assert gmail.most <= 48 * MB
    assert room._used == 0


@pytest.mark.parametrize("size", [1000, 5 * MB, 30 * MB, 60 * MB])
async def test_many_accounts_share_the_room_and_none_waits_for_ever(size: int) -> None:
    room = Room(48 * MB)
    accounts = [_Gmail({str(n): size for n in range(12)}, room) for _ in range(30)]
    async with asyncio.timeout(30):
        found = await asyncio.gather(*(_all(_fetching(a, room), list(a.sizes_of)) for a in accounts))
    assert all(len(each) == 12 for each in found)
    assert max(a.most for a in accounts) <= max(48 * MB, size)
    assert room._used == 0


async def test_a_reader_that_ends_early_gives_its_room_back() -> None:
    room = Room(48 * MB)
    gmail = _Gmail({str(n): 20 * MB for n in range(6)}, room)
    fetched = _fetching(gmail, room).fetched(list(gmail.sizes_of))
    await anext(fetched)
    assert room._used
    await fetched.aclose()
    assert room._used == 0


@pytest.mark.parametrize("status", [400, 401, 402, 403, 405, 409, 412, 413, 418, 422, 451])
async def test_what_google_refuses_is_not_taken_for_gone(status: int) -> None:
    gmail = _Gmail(dict.fromkeys(["1", "2", "3"], 1000))
    said = from_status(status, b'{"error": {"message": "no"}}', {})
    gmail.troubles["2"] = [said] * 10
    with pytest.raises(type(said)):
        await _all(_fetching(gmail), ["1", "2", "3"])


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_gone_is_left_out(status: int) -> None:
    gmail = _Gmail(dict.fromkeys(["1", "2", "3"], 1000))
    said = from_status(status, b"", {})
    assert isinstance(said, Expired)
    gmail.troubles["2"] = [said]
    assert await _all(_fetching(gmail), ["1", "2", "3"]) == ["1", "3"]


async def test_what_is_refused_once_is_asked_for_again() -> None:
    gmail = _Gmail(dict.fromkeys(["1", "2", "3"], 1000))
    gmail.troubles["2"] = [Refused("no")]
    gmail.troubles["3"] = [Temporary("later")]
    assert sorted(await _all(_fetching(gmail), ["1", "2", "3"])) == ["1", "2", "3"]


async def test_few_are_fetched_without_asking_for_sizes() -> None:
    gmail: Any = _Gmail({"1": 1, "2": 1})
    gmail.sizes = None
    assert FEW == 2
    assert await _all(_fetching(gmail), ["1", "2"]) == ["1", "2"]
