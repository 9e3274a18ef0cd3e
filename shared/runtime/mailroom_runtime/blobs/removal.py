"""Deleting blobs: apart from `blobs`, whose users never do, so that it is plain to see who can."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import obstore
from obstore.store import LocalStore, from_url

from .store import BlobsDown

TIMEOUT_S = 10.0


class BlobRemover:
    """Deletes blobs that `BlobStore.put` of the same URL wrote. Those that `add` packed with others cannot be."""

    def __init__(self, url: str) -> None:
        remote = "://" in url and not url.startswith("file://")
        self._store: Any = (
            from_url(url) if remote else LocalStore(Path(url.removeprefix("file://")).absolute(), mkdir=True)
        )

    async def remove(self, key: str) -> None:
        """Delete a blob; one that is not there is fine. Raises `BlobsDown`."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await obstore.delete_async(self._store, key)
        except (FileNotFoundError, obstore.exceptions.NotFoundError):
            return
        except (OSError, TimeoutError, obstore.exceptions.BaseError) as error:
            raise BlobsDown(f"the blob store cannot delete: {type(error).__name__}") from error
