"""Runs a service whose tasks can be failed from outside: `python -m support.task_killer PORT mailroom_router`.

`GET /` tells the tasks whose coroutines are ours: id, name, function. `POST /ID` makes the next thing that the task
waits for raise `Unexpected` in it, as a fault that nobody thought of would.
"""

from __future__ import annotations

import asyncio
import json
import runpy
import sys
import threading
from collections.abc import Coroutine
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import uvloop


class Unexpected(Exception):
    """What no code of ours knows."""


class Mortal(Coroutine[Any, Any, Any]):
    """A coroutine that can be made to fail wherever it waits."""

    def __init__(self, inner: Coroutine[Any, Any, Any]) -> None:
        self.inner = inner
        self.fatal = False

    def send(self, value: Any) -> Any:
        return self._fail() if self.fatal else self.inner.send(value)

    def throw(self, *error: Any) -> Any:
        return self._fail() if self.fatal else self.inner.throw(*error)

    def _fail(self) -> Any:
        self.fatal = False
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # it was only woken by that
            task.uncancel()
        return self.inner.throw(Unexpected("nobody thought of this"))

    def close(self) -> None:
        self.inner.close()

    def __await__(self) -> Any:
        return self.inner.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


loops: list[asyncio.AbstractEventLoop] = []


def _loop() -> asyncio.AbstractEventLoop:
    loop = uvloop.new_event_loop()

    def task(loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
        return asyncio.Task(Mortal(work) if asyncio.iscoroutine(work) else work, loop=loop, **more)

    loop.set_task_factory(task)  # type: ignore[arg-type]
    loops.append(loop)
    return loop


def _ours() -> dict[int, asyncio.Task[Any]]:
    found = {}
    for loop in loops:
        for task in asyncio.all_tasks(loop):
            code = getattr(task.get_coro(), "cr_code", None)
            if code is not None and "mailroom_" in code.co_filename:
                found[id(task)] = task
    return found


def _kill(task: asyncio.Task[Any]) -> None:
    coroutine = task.get_coro()
    assert isinstance(coroutine, Mortal)
    coroutine.fatal = True
    task.get_loop().call_soon_threadsafe(task.cancel)


class _Door(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        told = [{"id": number, "name": task.get_name(), "function": task.get_coro().cr_code.co_qualname}
                for number, task in _ours().items() if not task.done()]  # fmt: skip
        self._answer(200, told)

    def do_POST(self) -> None:
        task = _ours().get(int(self.path.strip("/")))
        if task is not None:
            _kill(task)
        self._answer(200 if task is not None else 404, {})

    def _answer(self, status: int, said: Any) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def main() -> None:
    """Open the door and run the service."""
    port, module = int(sys.argv[1]), sys.argv[2]
    door = ThreadingHTTPServer(("127.0.0.1", port), _Door)
    threading.Thread(target=door.serve_forever, daemon=True).start()
    run = uvloop.run
    uvloop.run = lambda work, **more: run(work, loop_factory=_loop, **more)  # type: ignore[assignment]
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__")


if __name__ == "__main__":
    main()
