"""All that faust does here, and all that is worked around: docs/decisions/0018-what-faust-does.md goes through it.

The only module that imports faust or mode, or touches what they keep private. faust joins the consumer group, reads
`email.received` and hands the events over one by one; it commits what was acknowledged.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import faust
from faust.auth import OAuthCredentials
from mailroom_contracts import topics
from mailroom_runtime.bus.connection import tls, token_provider
from mailroom_runtime.bus.groups import group_name
from mode.threads import WorkerThread
from yarl import URL

from .settings import RouterSettings

GROUP = "router.place"


class FaustApp:
    """One faust app with one agent. `receive` gets each event (`event.message`, `event.ack()`) and may wait."""

    def __init__(self, settings: RouterSettings, receive: Callable[[Any], Awaitable[None]], *, most: int) -> None:
        """`most` events lie in faust's own buffer."""
        folder = settings.data / "router" / "faust"
        folder.mkdir(parents=True, exist_ok=True)
        self._app: Any = faust.App(
            group_name(settings.topic_prefix, GROUP),
            broker=[URL(f"kafka://{server.strip()}") for server in settings.kafka.split(",")],
            broker_credentials=_credentials(settings),
            autodiscover=False,
            web_enabled=False,
            datadir=str(folder),
            store="memory://",
            topic_disable_leader=True,
            topic_allow_declare=False,
            processing_guarantee="at_least_once",
            stream_wait_empty=False,
            stream_buffer_maxsize=most,
            stream_ack_cancelled_tasks=False,
            stream_ack_exceptions=False,
            broker_client_id="mailroom-router-place",
            broker_max_poll_records=1_000,
            broker_commit_interval=1.0,
            broker_session_timeout=settings.router_session_timeout_s,
            broker_heartbeat_interval=1.0,
            broker_request_timeout=max(30.0, settings.router_session_timeout_s + 1),
            consumer_auto_offset_reset="none",
            producer_linger=0.0,
            worker_redirect_stdouts=False,
            loghandlers=[],
        )
        received = self._app.topic(
            topics.EMAIL_RECEIVED.full_name(settings.topic_prefix),
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
        )

        @self._app.agent(received, name="mailroom_router.place")
        async def place(stream: Any) -> None:
            # noack: a stream that is cancelled in a rebalance would acknowledge what it holds, done or not
            async for event in stream.noack().events():
                await receive(event)

    async def start(self) -> None:
        """Join the group; returns once it has let us in, which takes as long as its slowest member."""
        self._app.consumer._thread.Worker = _ConsumerThread
        await self._app.start()

    async def stop(self) -> None:
        """Leave the group, what was acknowledged is committed."""
        await self._app.stop()

    async def crashed(self) -> str:
        """Wait until faust gives up, and say why."""
        await self._app._crashed.wait()
        return repr(self._app.crash_reason)

    @property
    def rebalancing(self) -> bool:
        """Whether the group is being shared out anew; faust says it by a flag only."""
        return bool(self._app.rebalancing)

    def assigned(self) -> set[int]:
        """The partitions that the group gave us."""
        return {tp.partition for tp in self._app.consumer.assignment()}

    @property
    def consumer(self) -> Any:
        """aiokafka's consumer in faust's thread; there is one once an event came."""
        return self._app.consumer._thread._consumer


class _ConsumerThread(WorkerThread):
    """faust's consumer thread, which must keep neither the loop nor the process from ending.

    mode joins it in the loop, and a thread that waits for that loop (to be told of a rebalance) then never ends.
    """

    def __init__(self, service: Any, **kwargs: Any) -> None:
        super().__init__(service, **kwargs)
        self.daemon = True

    def stop(self) -> None:
        """Not joined: when it is asked to stop, its consumer has left the group already, or will never."""


def headers_of(event: Any) -> list[tuple[str, bytes]]:
    """The headers of an event's record, as they were sent."""
    headers = event.message.headers or []
    return list(headers.items()) if isinstance(headers, dict) else list(headers)


def _credentials(settings: RouterSettings) -> Any:
    """`bus.connection` in faust's words."""
    context = tls(settings) if settings.kafka_is_encrypted else None
    if not settings.kafka_signs_in:
        return faust.SSLCredentials(context) if context is not None else None
    if settings.kafka_sasl_mechanism == "OAUTHBEARER":
        return OAuthCredentials(oauth_cb=token_provider(settings), ssl_context=context)
    return faust.SASLCredentials(
        username=settings.kafka_username, password=settings.kafka_password.get_secret_value(),
        mechanism=settings.kafka_sasl_mechanism, ssl_context=context,
    )  # fmt: skip
