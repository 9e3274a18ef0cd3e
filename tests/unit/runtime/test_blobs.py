"""The blob store on a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from mailroom_runtime.blobs.store import BlobMissing, BlobsDown, BlobStore


async def test_put_twice_get_once(tmp_path: Path) -> None:
    store = BlobStore(str(tmp_path / "blobs"))
    ref = await store.put("p/t/raw.eml", b"\0\r\n.mail")
    assert await store.put("p/t/raw.eml", b"\0\r\n.mail") == ref
    assert await store.get(ref) == b"\0\r\n.mail"
    assert await store.exists("p/t/raw.eml")
    assert not await store.exists("p/t/other")
    with pytest.raises(BlobMissing):
        await store.get("p/t/other")
    assert [p.name for p in (tmp_path / "blobs").rglob("*") if p.is_file()] == ["raw.eml"], "no half files stay"


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a/../../b", "a\0b"])
async def test_a_key_cannot_leave_the_store(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="not a blob key"):
        await BlobStore(str(tmp_path)).put(key, b"x")


async def test_a_store_that_cannot_write_says_so(tmp_path: Path) -> None:
    store = BlobStore(str(tmp_path / "blobs"))
    (tmp_path / "blobs" / "p").write_bytes(b"a file where a folder should be")
    with pytest.raises(BlobsDown, match="cannot write"):
        await store.put("p/raw.eml", b"x")


async def test_a_blob_is_synced_with_every_name_that_leads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut keeps what was synced: the bytes, and after them each folder's entry from the store's root down."""
    synced: list[tuple[str, bool]] = []
    whole_sync, whole_data = os.fsync, os.fdatasync

    def name_of(handle: int) -> str:
        return os.readlink(f"/proc/self/fd/{handle}").removeprefix(str(tmp_path / "blobs")).strip("/")

    def sync(handle: int) -> None:
        whole_sync(handle)
        synced.append((name_of(handle), (tmp_path / "blobs/p/t/raw.eml").exists()))

    def sync_data(handle: int) -> None:
        whole_data(handle)
        synced.append(("the bytes", False))

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "fdatasync", sync_data)
    store = BlobStore(str(tmp_path / "blobs"))
    await store.put("p/t/raw.eml", b"x" * 100)
    assert [name for name, _ in synced] == ["", "p", "the bytes", "p/t"]
    assert synced[-1] == ("p/t", True), "after it has its name"
    synced.clear()
    await store.put("p/t/raw.eml", b"x" * 100)
    assert [name for name, _ in synced] == ["p/t"], "who wrote it before may have died before its sync"
    synced.clear()
    await store.add("p/t/small", b"y")
    folders = [name for name, _ in synced if name != "the bytes"]
    assert folders[:2] == ["", "packs"]
    assert folders[-1].startswith("packs/")
