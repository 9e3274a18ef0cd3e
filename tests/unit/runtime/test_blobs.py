"""The blob store on a folder."""

from __future__ import annotations

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
