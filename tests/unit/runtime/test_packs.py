"""Packs: what is added is found again by its key alone, also by another process, and a torn end harms nothing."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_contracts import BlobRef
from mailroom_runtime.blobs import packs
from mailroom_runtime.blobs.packs import PackWriter, place_of, read
from mailroom_runtime.blobs.store import PACKED_UP_TO, BlobMissing, BlobsDown, BlobStore


async def test_many_at_once_are_found_again(tmp_path: Path) -> None:
    store = BlobStore(str(tmp_path))
    blobs = {f"p1/r{n}/raw.eml": b"%d " % n * n for n in range(200)}
    refs = await asyncio.gather(*(store.add(key, data) for key, data in blobs.items()))
    other = BlobStore(str(tmp_path))
    for ref, (key, data) in zip(refs, blobs.items(), strict=True):
        assert ref.key.startswith(f"{key}@packs/")
        assert ref.size == len(data)
        assert await other.get(ref) == data
        assert await other.get(ref.key) == data
        assert await other.exists(ref.key)
    assert len(list(tmp_path.rglob("*.pack"))) == 1


async def test_the_pack_can_be_taken_apart_by_hand(tmp_path: Path) -> None:
    store = BlobStore(str(tmp_path))
    await store.add("p1/a/raw.eml", b"one\n#two")
    await store.add("p1/b/raw.eml", b"")
    (pack,) = tmp_path.rglob("*.pack")
    assert pack.read_bytes() == b"#p1/a/raw.eml 8\none\n#two\n#p1/b/raw.eml 0\n\n"


async def test_what_is_large_is_a_file_of_its_own(tmp_path: Path) -> None:
    store = BlobStore(str(tmp_path))
    ref = await store.add("p1/a/big", b"x" * (PACKED_UP_TO + 1))
    assert ref.key == "p1/a/big"
    assert (tmp_path / "p1/a/big").stat().st_size == PACKED_UP_TO + 1
    assert place_of(ref.key) is None


async def test_a_new_pack_each_day_and_when_one_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    writer = PackWriter(tmp_path, clock=lambda: now)
    keys = [await writer.append("a", b"1")]
    now = 86_400.0
    keys.append(await writer.append("b", b"2"))
    monkeypatch.setattr(packs, "PACK_BYTES", 5)
    keys.append(await writer.append("c", b"3"))
    places = [place_of(key) for key in keys]
    assert all(place is not None for place in places)
    assert [read(tmp_path, place) for place in places if place is not None] == [b"1", b"2", b"3"]
    assert [place[0].split("/")[1] for place in places if place is not None] == ["19700101", "19700102", "19700102"]
    assert len({place[0] for place in places if place is not None}) == 3


async def test_a_failed_write_fails_its_own_and_the_next_goes_to_a_new_pack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BlobStore(str(tmp_path))
    first = await store.add("p1/a/x", b"first")
    real = os.write

    def short(handle: int, data: bytes) -> int:
        return real(handle, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(BlobsDown, match="no space left"):
        await store.add("p1/b/x", b"second")
    monkeypatch.undo()
    third = await store.add("p1/c/x", b"third")
    assert (await store.get(first), await store.get(third)) == (b"first", b"third")
    assert place_of(first.key)[0] != place_of(third.key)[0]  # type: ignore[index]


async def test_a_client_that_left_does_not_hold_up_the_others(tmp_path: Path) -> None:
    store = BlobStore(str(tmp_path))
    adding = [asyncio.create_task(store.add(f"p1/{n}/x", b"%d" % n)) for n in range(10)]
    await asyncio.sleep(0)
    adding[3].cancel()
    done = await asyncio.gather(*adding, return_exceptions=True)
    assert isinstance(done[3], asyncio.CancelledError)
    assert [await store.get(ref) for ref in done if isinstance(ref, BlobRef)] == [
        b"%d" % n for n in range(10) if n != 3
    ]


async def test_keys_that_lie(tmp_path: Path) -> None:
    store = BlobStore(str(tmp_path))
    ref = await store.add("p1/a/x", b"data")
    with pytest.raises(BlobMissing):
        await store.get(ref.key.rpartition(":")[0] + ":4000")
    with pytest.raises(BlobMissing):
        await store.get("p1/a/x@packs/20200101/none-1-00.pack:0:4")
    assert not await store.exists("p1/a/x@packs/20200101/none-1-00.pack:0:4")
    with pytest.raises(ValueError, match="not a blob key"):
        await store.add("../x", b"data")


@given(st.text(max_size=60))
def test_no_key_points_outside_the_packs(text: str) -> None:
    place = place_of(f"p1/a@{text}")
    if place is not None:
        assert place[0].startswith("packs/")
        assert ".." not in place[0].split("/")
