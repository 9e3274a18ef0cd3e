"""How often a login may be tried that its server refuses: servers lock accounts, or ban a network, after few of them. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

FREE = 3  # refusals that cost nothing: a typing error, another one, the right one
FIRST_WAIT_S = 10.0
LONGEST_WAIT_S = 600.0
FORGOTTEN_AFTER_S = 3_600.0
MOST = 2_000


@dataclass(slots=True)
class _Refusals:
    count: int
    last: float


class CheckPace:
    """Refusals of logins, by server and user name; seconds on any clock that only goes on."""

    def __init__(self) -> None:
        self._refused: OrderedDict[tuple[str, str], _Refusals] = OrderedDict()

    def wait_s(self, host: str, username: str, now: float) -> float:
        """Seconds until this login may be tried again; 0: now."""
        known = self._refused.get(_key(host, username))
        if known is None or known.count < FREE:
            return 0.0
        wait = min(FIRST_WAIT_S * 2.0 ** min(known.count - FREE, 20), LONGEST_WAIT_S)
        return max(known.last + wait - now, 0.0)

    def refused(self, host: str, username: str, now: float) -> None:
        """It was refused."""
        key = _key(host, username)
        known = self._refused.pop(key, None)
        if known is None or now - known.last > FORGOTTEN_AFTER_S:
            known = _Refusals(0, now)
        self._refused[key] = _Refusals(known.count + 1, now)
        if len(self._refused) > MOST:
            self._refused.popitem(last=False)

    def worked(self, host: str, username: str) -> None:
        """It was taken."""
        self._refused.pop(_key(host, username), None)


def _key(host: str, username: str) -> tuple[str, str]:
    return host.strip().rstrip(".").lower(), username.lower()
