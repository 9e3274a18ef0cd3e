"""A form that is sent twice (a second click, a reload after a lost answer) is carried out once, and answered twice."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from hashlib import sha256

from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

FIELD = "once"
KEPT_S = 600.0
_MOST = 200
_LARGEST = 256_000


class Once:
    """What was sent lately, each with its answer, in this process: it is gone with it. What must not be doubled by a restart
    has a key in its command.

    `clock`: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, asyncio.Future[Response]]] = OrderedDict()

    async def answer(self, key: bytes | None, work: Callable[[], Awaitable[tuple[Response, bool]]]) -> Response:
        """The answer that `work` gives, or gave to the same `key` (`key_of`) within the last ten minutes.

        `work` gives the answer and whether anything was done. Where nothing was, or it raises, the same may be sent again.
        """
        if key is None:
            return (await work())[0]
        now = self._clock()
        while self._known and (len(self._known) >= _MOST or next(iter(self._known.values()))[0] < now - KEPT_S):
            self._known.popitem(last=False)
        if (known := self._known.get(key)) is not None:
            return await asyncio.shield(known[1])
        mine: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._known[key] = now, mine
        try:
            answer, done = await work()
        except BaseException as error:
            self._forget(key, mine)
            if isinstance(error, Exception):  # whoever waits for the same is told the same
                mine.set_exception(error)
                mine.exception()  # nobody may be waiting
            else:  # a request that was given up says nothing about the next
                mine.cancel()
            raise
        if not done or answer.status_code >= 400 or len(answer.body) > _LARGEST:
            self._forget(key, mine)
        mine.set_result(answer)
        return answer

    def _forget(self, key: bytes, mine: asyncio.Future[Response]) -> None:
        known = self._known.get(key)
        if known is not None and known[1] is mine:
            del self._known[key]


def key_of(session: str, path: str, form: FormData) -> bytes | None:
    """What makes two sendings the same: who, where, the mark that the page gave its forms, and every field. None for a form
    without a mark, as programs send it."""
    if not form.get(FIELD):
        return None
    whole = sha256()
    for part in (session, path, *(text for name, value in form.multi_items() for text in (name, _said(value)))):
        whole.update(len(part.encode("utf-8", "surrogatepass")).to_bytes(8) + part.encode("utf-8", "surrogatepass"))
    return whole.digest()


def _said(value: UploadFile | str) -> str:
    return value if isinstance(value, str) else f"{value.filename} {value.size}"
