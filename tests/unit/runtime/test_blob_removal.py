"""Deleting blobs, in a folder and through obstore."""

from __future__ import annotations

from pathlib import Path

import pytest
from mailroom_runtime.blobs.removal import BlobRemover
from mailroom_runtime.blobs.store import BlobsDown, BlobStore


@pytest.mark.parametrize("prefix", ["", "file://"])
async def test_it_deletes_what_the_store_put_and_only_that(tmp_path: Path, prefix: str) -> None:
    url = f"{prefix}{tmp_path / 'a folder'}"
    store, remover = BlobStore(url), BlobRemover(url)
    for key in ("p1/uploads/aa", "p1/uploads/bb"):
        await store.put(key, b"x")
    await remover.remove("p1/uploads/aa")
    await remover.remove("p1/uploads/aa")
    assert [await store.exists(f"p1/uploads/{name}") for name in ("aa", "bb")] == [False, True]


async def test_a_store_that_does_not_answer_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"), ("AWS_ALLOW_HTTP", "true"),
                        ("AWS_ENDPOINT", "http://127.0.0.1:9"), ("AWS_REGION", "x")):  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("mailroom_runtime.blobs.removal.TIMEOUT_S", 0.5)
    with pytest.raises(BlobsDown):
        await BlobRemover("s3://bucket/x").remove("p1/uploads/aa")
