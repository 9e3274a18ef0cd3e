"""The blob store: raw mail, attachments, long bodies. A local folder, or S3, GCS, Azure by URL (obstore)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import obstore
from mailroom_contracts import BlobRef
from obstore.store import from_url

from . import folders
from .packs import PackWriter, place_of
from .packs import read as read_packed

PACKED_UP_TO = 65_536  # bytes; what is larger is a file of its own


class BlobsDown(ConnectionError):
    """The blob store does not answer, is full or refuses; try again later."""


class BlobMissing(LookupError):
    """There is no such blob."""


class BlobStore:
    """Puts and gets bytes by key. A put is on disk (or acknowledged by the service) when it returns."""

    def __init__(self, url: str) -> None:
        self._root: Path | None = None
        self._remote: Any = None
        if "://" in url and not url.startswith("file://"):
            self._remote = from_url(url)
        else:
            self._root = Path(url.removeprefix("file://")).absolute()
            self._root.mkdir(parents=True, exist_ok=True)
        self._packs = None if self._root is None else PackWriter(self._root)
        # writing a file blocks; two threads keep the loop free, and one disk gains nothing from more
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="blobs")

    async def put(self, key: str, data: bytes) -> BlobRef:
        """Store `data`. The same key is put twice without harm. Raises `BlobsDown`."""
        path = None if self._root is None else self._path(key)
        try:
            if path is None:
                await obstore.put_async(self._remote, key, data)
            else:
                await asyncio.get_running_loop().run_in_executor(self._threads, _write, path, data)
        except OSError as error:
            raise BlobsDown(f"the blob store cannot write: {error.strerror or error}") from error
        except obstore.exceptions.BaseError as error:
            raise BlobsDown(f"the blob store cannot write: {type(error).__name__}") from error
        return BlobRef(key=key, size=len(data))

    async def add(self, key: str, data: bytes) -> BlobRef:
        """Store `data` under a key that begins with `key`: the reference alone says where it is. Raises `BlobsDown`.

        For many small blobs: in a local folder those that come together are synced together. Adding twice stores
        twice, which does no harm.
        """
        if self._packs is None or len(data) > PACKED_UP_TO:
            return await self.put(key, data)
        _check(key)
        try:
            return BlobRef(key=await self._packs.append(key, data), size=len(data))
        except OSError as error:
            raise BlobsDown(f"the blob store cannot write: {error.strerror or error}") from error

    async def get(self, ref: BlobRef | str) -> bytes:
        """The bytes. Raises `BlobMissing` or `BlobsDown`."""
        key = ref if isinstance(ref, str) else ref.key
        try:
            if self._root is not None:
                path = self._path(key)
                place = place_of(key)
                if place is not None:
                    return await asyncio.to_thread(read_packed, self._root, place)
                return await asyncio.to_thread(path.read_bytes)
            result = await obstore.get_async(self._remote, key)
            return bytes(await result.bytes_async())
        except FileNotFoundError as error:
            raise BlobMissing(key) from error
        except OSError as error:
            raise BlobsDown(f"the blob store cannot read: {error.strerror or error}") from error
        except obstore.exceptions.NotFoundError as error:
            raise BlobMissing(key) from error
        except obstore.exceptions.BaseError as error:
            raise BlobsDown(f"the blob store cannot read: {type(error).__name__}") from error

    async def exists(self, key: str) -> bool:
        """Whether there is such a blob. Raises `BlobsDown`."""
        if self._root is not None:
            place = place_of(key)
            return await asyncio.to_thread(self._path(key if place is None else place[0]).is_file)
        try:
            await obstore.head_async(self._remote, key)
        except (FileNotFoundError, obstore.exceptions.NotFoundError):
            return False
        except obstore.exceptions.BaseError as error:
            raise BlobsDown(f"the blob store cannot read: {type(error).__name__}") from error
        return True

    def _path(self, key: str) -> Path:
        assert self._root is not None
        _check(key)
        return self._root / key


def _check(key: str) -> None:
    """Raise ValueError for a key that would lead out of the store."""
    if key.startswith("/") or ".." in key.split("/") or "\0" in key:
        raise ValueError(f"not a blob key: {key!r}")


def _write(path: Path, data: bytes) -> None:
    """Write beside and rename, so that a reader never sees half a blob; synced, since `250` promises it is kept."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            folders.sync(path.parent)  # whoever wrote it may have died before this
            return
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    except FileNotFoundError:
        folders.make(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fdatasync(file.fileno())
        os.replace(name, path)
        folders.sync(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
