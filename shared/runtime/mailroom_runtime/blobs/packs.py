"""Small blobs in pack files: what comes at the same time is written and synced together (group commit).

A file and an fdatasync for each 5 kB mail cost more than reading the mail (docs/decisions/0012-small-blobs-in-packs.md).
A blob's key says where it lies: `portal/receipt/name@packs/DAY/FILE.pack:OFFSET:SIZE`, so any process finds it without
an index. In the file a line `#key size` stands before each blob, so that a pack can be taken apart by hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import folders

PACK_BYTES = 64 * 1024 * 1024
_PLACE = re.compile(r"@(packs/\d{8}/[A-Za-z0-9_.-]+\.pack):(\d{1,12}):(\d{1,9})\Z")
_LONGEST_HEAD = 4_096  # bytes of the line before a blob
_Waiting = tuple[str, bytes, "asyncio.Future[str]"]


def place_of(key: str) -> tuple[str, int, int] | None:
    """Where a packed blob lies: (file under the store's root, offset, size); None for a key of a whole file."""
    match = _PLACE.search(key)
    return None if match is None else (match[1], int(match[2]), int(match[3]))


def read(root: Path, place: tuple[str, int, int]) -> bytes:
    """The bytes at a place. Raises OSError; FileNotFoundError too when the pack is shorter than the place says."""
    name, offset, size = place
    with (root / name).open("rb") as file:
        file.seek(offset)
        data = file.read(size)
    if len(data) != size:
        raise FileNotFoundError(f"{name} ends before {offset + size}")
    return data


def blank(root: Path, place: tuple[str, int, int]) -> None:
    """Write zeros over the bytes at a place; a pack that is gone is fine. Raises OSError."""
    name, offset, size = place
    with contextlib.suppress(FileNotFoundError), (root / name).open("r+b") as file:
        size = min(size, max(0, os.fstat(file.fileno()).st_size - offset))
        file.seek(offset)
        file.write(bytes(size))
        file.flush()
        os.fdatasync(file.fileno())


def places_of(file: Path, begin: str) -> list[tuple[int, int]]:
    """Offset and size of each blob in a pack whose key begins so, but for those that are zeros. Raises OSError."""
    found: list[tuple[int, int]] = []
    wanted = f"#{begin}".encode()
    with file.open("rb") as pack:
        while line := pack.readline(_LONGEST_HEAD):
            size = line.rpartition(b" ")[2].strip()
            if not line.startswith(b"#") or not line.endswith(b"\n") or not size.isdigit():
                break  # the end of a pack that its writer abandoned
            offset = pack.tell()
            if line.startswith(wanted) and any(pack.read(int(size))):
                found.append((offset, int(size)))
            pack.seek(offset + int(size) + 1)
    return found


class PackWriter:
    """Appends to a pack of this process's own. One batch is on its way at a time; what comes meanwhile is the next."""

    def __init__(self, root: Path, clock: Callable[[], float] = time.time) -> None:
        self._root, self._clock = root, clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="packs")
        self._waiting: list[_Waiting] = []
        self._busy = False
        self._file = -1
        self._name = ""
        self._size = 0

    async def append(self, key: str, data: bytes) -> str:
        """The key under which the bytes are found; they are on disk when it returns. Raises OSError."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()
        self._waiting.append((key, data, done))
        if not self._busy:
            self._busy = True
            loop.call_soon(self._next, loop)  # what else is ready in this turn of the loop comes along
        return await done

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, self._waiting = self._waiting, []
        self._busy = bool(batch)
        if batch:
            self._thread.submit(self._work, loop, batch)

    def _work(self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting]) -> None:
        keys: list[str] = []
        failure: OSError | None = None
        try:
            keys = self._write([(key, data) for key, data, _ in batch])
        except OSError as error:
            failure = error
            self._abandon()
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
            loop.call_soon_threadsafe(self._tell, loop, batch, keys, failure)

    def _tell(
        self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting], keys: list[str], failure: OSError | None
    ) -> None:
        self._next(loop)
        for place, (_, _, done) in enumerate(batch):
            if done.done():  # its client has gone
                continue
            if failure is not None:
                done.set_exception(OSError(failure.errno, failure.strerror))
            else:
                done.set_result(keys[place])

    def _write(self, blobs: list[tuple[str, bytes]]) -> list[str]:
        day = time.strftime("%Y%m%d", time.gmtime(self._clock()))
        if self._file < 0 or self._size > PACK_BYTES or f"/{day}/" not in self._name:
            self._open(day)
        keys: list[str] = []
        pieces: list[bytes] = []
        end = self._size
        for key, data in blobs:
            head = f"#{key} {len(data)}\n".encode()
            keys.append(f"{key}@{self._name}:{end + len(head)}:{len(data)}")
            pieces += (head, data, b"\n")
            end += len(head) + len(data) + 1
        whole = b"".join(pieces)
        if os.write(self._file, whole) != len(whole):
            raise OSError(28, "no space left on the device")  # ENOSPC: the rest did not fit
        os.fdatasync(self._file)
        self._size = end
        return keys

    def _open(self, day: str) -> None:
        self._abandon()
        folder = self._root / "packs" / day
        folders.make(folder)
        host = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:40]
        name = f"{host}-{os.getpid()}-{secrets.token_hex(4)}.pack"
        self._file = os.open(folder / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._name, self._size = f"packs/{day}/{name}", 0
        folders.sync(folder)

    def _abandon(self) -> None:
        """Write no more to this pack: its end may be half a blob, to which nothing points."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                os.close(self._file)
        self._file = -1
