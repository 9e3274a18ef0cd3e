"""Structured logs: business events by name with ids, never bodies and never secrets."""

from __future__ import annotations

import asyncio
import atexit
import io
import logging
import sys
import threading
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, BinaryIO, TextIO, cast

import orjson
import structlog

_SECRET_WORDS = ("password", "secret", "token", "authorization", "cookie", "api_key")


def get_logger() -> structlog.stdlib.BoundLogger:
    """The logger; the service's name is bound to it by `configure`."""
    return cast(structlog.stdlib.BoundLogger, structlog.get_logger())


def configure(service: str, *, level: str = "info", form: str = "json") -> None:
    """Send structlog and the standard library's logging to standard error, one line an event."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _hide_secrets,
        structlog.processors.format_exc_info,
    ]
    as_json = form == "json"
    renderer: Any = (
        structlog.processors.JSONRenderer(serializer=lambda v, **_: orjson.dumps(v, default=str).decode())
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        # one write for each line: printing text takes two, and every mail logs several lines
        processors=[_json_line(service)] if as_json else [*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=(
            structlog.BytesLoggerFactory(cast(BinaryIO, _StandardError()))
            if as_json
            else structlog.PrintLoggerFactory(sys.stderr)
        ),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = _StandardErrorHandler()
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler.setFormatter(formatter)
    handler.addFilter(RateLimit())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in (
        "aiokafka",
        "faust",
        "mode",
        "aiosmtpd",
        "mail.log",
        "httpx",
        "httpcore",
        "googleapiclient",
        "uvicorn.access",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _json_line(service: str) -> Any:
    """All that is done to an event of our own, in one step: each mail logs several, and steps cost more than the line."""

    def line(logger: Any, method: str, event: MutableMapping[str, Any]) -> bytes:
        _hide_secrets(logger, method, event)
        event["service"] = service
        structlog.processors.add_log_level(logger, method, event)
        event["at"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        if "exc_info" in event:
            structlog.processors.format_exc_info(logger, method, event)
        return orjson.dumps(event, default=str)

    return line


def _hide_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in event:
        if _names_a_secret(key):
            event[key] = "(hidden)"
    return event


@lru_cache(maxsize=2_000)
def _names_a_secret(key: str) -> bool:
    lowered = key.lower()
    return any(word in lowered for word in _SECRET_WORDS) and not lowered.endswith(("_id", "_revision"))


class _StandardError(io.RawIOBase):
    """Standard error as it is now: who exchanges sys.stderr (a test) would leave a closed file behind.

    What an event loop logs in one turn is written at its end, together: each mail logs several lines, and much work is
    done in one turn when there is much.
    """

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None  # the one that will write them
        atexit.register(self._write)

    def write(self, data: Any) -> int:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # a thread, or the time before and after the loop
            loop = None
        with self._lock:
            self._lines.append(data)
        if loop is None:
            self._write()
        elif self._loop is not loop:
            self._loop = loop
            loop.call_soon(self._write)
        return len(data)

    def flush(self) -> None:
        """Called after each line; the loop sees to it."""

    def _write(self) -> None:
        with self._lock:
            lines, self._lines, self._loop = self._lines, [], None
            if lines:
                sys.stderr.buffer.write(b"".join(lines))
                sys.stderr.flush()


class _StandardErrorHandler(logging.StreamHandler[TextIO]):
    """As `_StandardError`, for what other libraries log."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


class RateLimit(logging.Filter):
    """At most `burst` records per message pattern and window: a broken dependency must not fill the disk.

    aiokafka logs every failed try to connect, thousands a second (DESIGN section 10).
    """

    def __init__(self, burst: int = 5, window_s: float = 10.0) -> None:
        super().__init__()
        self._burst, self._window = burst, window_s
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        key = (record.name, str(record.msg))
        now = time.monotonic()
        start, count = self._seen.get(key, (now, 0))
        if now - start > self._window:
            if count > self._burst:
                record.msg = f"{record.msg} (and {count - self._burst} more like it left out)"
            start, count = now, 0
        if len(self._seen) > 1000:
            self._seen.clear()
        self._seen[key] = (start, count + 1)
        return count < self._burst
