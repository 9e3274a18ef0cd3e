"""Health and metrics over HTTP: /health (alive), /ready (all named conditions hold), /metrics (Prometheus)."""

from __future__ import annotations

import time

from aiohttp import web

from . import metrics


class Health:
    """Named conditions; ready when every one holds. Declare each with `set(name, False, why)` early."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._conditions: dict[str, tuple[bool, str]] = {}
        self._started = time.time()
        self._runner: web.AppRunner | None = None

    def set(self, name: str, ok: bool, reason: str = "") -> None:
        """Say how a condition stands; `reason` is for people."""
        self._conditions[name] = (ok, "" if ok else reason or "not ready")
        metrics.gauge("mailroom_condition", "1 when the condition holds", ["service", "condition"]).labels(
            self._service, name
        ).set(int(ok))

    @property
    def ready(self) -> bool:
        return bool(self._conditions) and all(ok for ok, _ in self._conditions.values())

    def report(self) -> dict[str, object]:
        """What /health answers."""
        return {
            "service": self._service,
            "state": "ready" if self.ready else "waiting",
            "uptime_s": round(time.time() - self._started, 1),
            "conditions": {
                name: {"ok": ok, **({"reason": why} if why else {})} for name, (ok, why) in self._conditions.items()
            },
        }

    async def serve(self, host: str, port: int) -> None:
        """Answer on host and port. Raises OSError when the port is taken."""
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_get("/ready", self._ready)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, reuse_port=False).start()

    async def close(self) -> None:
        """Stop answering."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response(self.report())

    async def _ready(self, _: web.Request) -> web.Response:
        return web.json_response(self.report(), status=200 if self.ready else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={"Content-Type": "text/plain; version=0.0.4"})
