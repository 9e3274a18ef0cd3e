"""Whether an account may be used now: it works, holds still for a while, or waits for a person. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from .courier import Deferred, Hold
from .schedule import Policy, lane_delay_s, parked_delay_s

LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Standing:
    """How the account of one lane stands. `careful`: one mail at a time until it has shown that it works."""

    address_id: str
    policy: Policy
    careful: bool = True
    failures: int = 0
    hold_until: datetime = field(default=LONG_AGO)
    broken_since: datetime | None = None
    reason: str = ""
    accepted: int | None = None  # the secret's revision with which a login worked
    refusals: int = 0  # doubtful ones in a row
    tries: int = 0  # refusals in a row for which it was parked

    @property
    def is_broken(self) -> bool:
        return self.broken_since is not None

    def takes_mail(self, now: datetime) -> bool:
        """Whether anything may be tried."""
        return not self.is_broken and now >= self.hold_until

    def judged(self, outcome: Deferred, now: datetime, *, proven: bool) -> Deferred:
        """A doubtful refusal as what it is for this account. `proven`: the present secret was accepted before, so the
        server may just be unable to check it: some more tries, and only then people are told."""
        if outcome.hold is not Hold.LOGIN:
            return outcome
        if not proven or self.is_broken:
            return replace(outcome, hold=Hold.ACCOUNT)
        if self.refusals and (held_s := self.held_s(now)) > 0:
            wait_s = held_s  # of the same moment as the one before: sent at the same time
        elif self.refusals < len(self.policy.login_retry_s):
            wait_s = self.policy.login_retry_s[self.refusals]
            self.refusals += 1
        else:
            return replace(outcome, hold=Hold.ACCOUNT)
        reason = f"{outcome.reason} The same login was accepted before, so it is tried again in a while."
        return replace(outcome, hold=Hold.LANE, reason=reason, retry_after_s=wait_s)

    def note(self, outcome: Deferred, now: datetime) -> None:
        """What a deferral means for the whole account."""
        if outcome.hold is Hold.ACCOUNT:
            self.broken_since, self.reason = now, outcome.reason
            self.tries += 1
        elif outcome.hold is Hold.LANE:
            self.failures += 1
            self.careful = True
            self.hold(outcome.retry_after_s or lane_delay_s(self.address_id, self.failures, self.policy), now)

    def hold(self, seconds: float, now: datetime) -> None:
        """Hold still for so long, at least."""
        self.hold_until = max(self.hold_until, now + timedelta(seconds=seconds))

    def held_s(self, now: datetime) -> float:
        """Seconds for which it still holds still."""
        return max((self.hold_until - now).total_seconds(), 0.0)

    def works(self, secret_revision: int | None = None) -> None:
        """It answered and let us in with that secret, whatever it said about a mail."""
        self.accepted = secret_revision
        self.failures, self.refusals, self.tries, self.careful = 0, 0, 0, False

    def try_again(self) -> None:
        """It was configured anew, or it is time for a try: carefully."""
        self.broken_since, self.hold_until, self.careful = None, LONG_AGO, True

    def retry_s(self, now: datetime) -> float:
        """Seconds until a broken account is tried by itself."""
        if self.broken_since is None:
            return 0.0
        wait_s = parked_delay_s(self.address_id, self.tries, self.policy)
        return wait_s - (now - self.broken_since).total_seconds()
