"""When a mail is tried again: exponential back-off with jitter that is derived, not drawn. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Policy:
    """Times in seconds. A mail is given up `max_age_s` after it was queued, not counting the time it was parked."""

    first_s: float = 60.0
    longest_s: float = 7_200.0
    max_age_s: float = 3 * DAY_S
    parked_max_s: float = 14 * DAY_S
    lane_first_s: float = 5.0
    lane_longest_s: float = 1_800.0
    parked_retry_s: float = 3_600.0
    parked_longest_s: float = DAY_S
    # a refused login that was accepted before is tried again so late, each after the one before, until people are told
    login_retry_s: tuple[float, ...] = (60.0, 300.0, 900.0)
    uncertain_s: float = 3_600.0  # before a mail that may have arrived is sent again


def mail_delay_s(outbound_id: str, attempt: int, policy: Policy) -> float:
    """How long to wait after the attempt of that number (1 is the first): doubled each time, within ±20 %."""
    return _jittered(f"{outbound_id}:{attempt}", policy.first_s, attempt, policy.longest_s)


def lane_delay_s(address_id: str, failures: int, policy: Policy) -> float:
    """How long a whole lane waits after so many failures in a row (1 is the first)."""
    return _jittered(f"{address_id}:{failures}", policy.lane_first_s, failures, policy.lane_longest_s)


def parked_delay_s(address_id: str, tries: int, policy: Policy) -> float:
    """How long a refused account waits for its next try by itself: servers ban who comes with a wrong password hourly."""
    return _jittered(f"{address_id}:parked:{tries}", policy.parked_retry_s, tries, policy.parked_longest_s)


def _jittered(seed: str, first_s: float, count: int, longest_s: float) -> float:
    base = min(first_s * 2.0 ** min(max(count, 1) - 1, 32), longest_s)
    digest = hashlib.blake2b(seed.encode(), digest_size=4).digest()
    return float(base * (0.8 + 0.4 * int.from_bytes(digest, "big") / 0xFFFFFFFF))
