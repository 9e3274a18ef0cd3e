"""Deleting blobs: apart from `blobs`, whose users never do, so that it is plain to see who can."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Collection, Container, Iterable
from pathlib import Path
from typing import Any

import obstore
from obstore.store import LocalStore, from_url

from .packs import blank, place_of, places_of
from .store import BlobsDown

TIMEOUT_S = 10.0


class BlobRemover:
    """Deletes blobs that `BlobStore` of the same URL wrote. Of those that were packed with others the bytes are zeros."""

    def __init__(self, url: str) -> None:
        remote = "://" in url and not url.startswith("file://")
        self._root = None if remote else Path(url.removeprefix("file://")).absolute()
        self._store: Any = from_url(url) if self._root is None else LocalStore(self._root, mkdir=True)

    async def forget(self, key: str) -> None:
        """Delete a blob, wherever it lies; one that is not there is fine. Raises `BlobsDown`."""
        place = place_of(key)
        if self._root is None or place is None:
            await self.remove(key)
            return
        try:
            await asyncio.to_thread(blank, self._root, place)
        except OSError as error:
            raise BlobsDown(f"the blob store cannot delete: {error.strerror or error}") from error

    async def forget_in(self, folder: str, keys: Iterable[str]) -> int:
        """Delete those of these blobs that lie in the folder (`p1`: never another portal's); how many. Raises `BlobsDown`."""
        inside = sorted({key for key in keys if key.startswith(f"{folder}/")})
        for key in inside:
            await self.forget(key)
        return len(inside)

    async def forget_under(self, folder: str, but: Collection[str] = ()) -> int:
        """Delete every blob whose key begins with this folder (`p1` or `p1/9f2c`), `but` for these; how many. Raises
        `BlobsDown`."""
        if not folder or folder.startswith("/") or ".." in folder.split("/"):
            raise ValueError(f"not a folder of blobs: {folder!r}")
        count = left = 0
        try:
            async for some in obstore.list(self._store, prefix=f"{folder}/"):
                for path in (str(one["path"]) for one in some):
                    if path in but:
                        left += 1
                        continue
                    await self.remove(path)
                    count += 1
            if self._root is not None:
                count += await asyncio.to_thread(_blank_under, self._root, f"{folder}/", set(map(place_of, but)))
                if not left:
                    await asyncio.to_thread(shutil.rmtree, self._root / folder, True)  # folders that are empty now
        except (OSError, obstore.exceptions.BaseError) as error:
            raise BlobsDown(f"the blob store cannot delete: {type(error).__name__}") from error
        return count

    async def remove(self, key: str) -> None:
        """Delete a blob; one that is not there is fine. Raises `BlobsDown`."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await obstore.delete_async(self._store, key)
        except (FileNotFoundError, obstore.exceptions.NotFoundError):
            return
        except (OSError, TimeoutError, obstore.exceptions.BaseError) as error:
            raise BlobsDown(f"the blob store cannot delete: {type(error).__name__}") from error


def _blank_under(root: Path, begin: str, but: Container[object]) -> int:
    count = 0
    for file in sorted((root / "packs").glob("*/*.pack")):
        name = file.relative_to(root).as_posix()
        for offset, size in places_of(file, begin):
            if (place := (name, offset, size)) not in but:
                blank(root, place)
                count += 1
    return count
