"""What a courier is and how a try to hand over a mail can end.

A courier speaks for one sending account (or the platform's relay). Retrying, schedules and records are the lane's
business, not the courier's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from mailroom_contracts import OutboundMail, RecipientReport
from mailroom_runtime.process.tasks import aside


class Hold(StrEnum):
    """How much waits because of a deferral."""

    MAIL = "mail"  # this mail only: a greylisted recipient, say
    SESSION = "session"  # this session is used up: another one takes the mail
    LANE = "lane"  # the whole account for a while: no connection, 421, "too many"
    LOGIN = "login"  # the login was refused, which servers also say while they cannot check it
    ACCOUNT = "account"  # the whole account until a person mends it: login refused for certain


@dataclass(frozen=True, slots=True)
class Delivered:
    """The server took it for at least one recipient; `recipients` names each one's outcome where they differ."""

    server_reply: str
    recipients: tuple[RecipientReport, ...] = ()
    rfc_message_id: str | None = None
    gmail_message_id: str | None = None
    gmail_thread_id: str | None = None
    invitation_uids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deferred:
    """Try again later. `recipients` in state sent or failed are settled and not tried again.

    `uncertain`: the whole mail was handed over and no answer came, so it may have arrived."""

    reason: str
    hold: Hold = Hold.MAIL
    retry_after_s: float | None = None
    recipients: tuple[RecipientReport, ...] = ()
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """Never try again."""

    reason: str
    recipients: tuple[RecipientReport, ...] = ()


Outcome = Delivered | Deferred | Failed


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail ready to hand over.

    `raw` has CRLF line ends and no Bcc header. `sender` is the envelope sender, empty for the null path.
    `uncertain`: an earlier attempt may have got through (a crash while it was made). `tried`: there was an earlier
    attempt at all, and its answer may have been lost on the way. `still_ours` must be asked right
    before the content is handed over: when it says no, another process sends this mail.
    """

    raw: bytes
    sender: str
    recipients: tuple[str, ...]
    uncertain: bool = False
    tried: bool = False
    still_ours: Callable[[], bool] = lambda: True
    invitation_uids: tuple[str, ...] = ()  # of the calendar entries that it carries


class Courier(Protocol):
    """Hands mails over. `send` never raises for what a server says or does, and ends by itself; it may be called several
    times at once."""

    async def send(self, order: OutboundMail, mail: Letter) -> Outcome:
        """Hand over one mail."""
        ...

    async def close(self) -> None:
        """Say goodbye to the server."""
        ...


def close_later(courier: Courier) -> None:
    """Close a courier in the background: mails that it carries now are finished first."""
    aside(courier.close(), "close-courier")


LEASE_LOST = Deferred("another process has taken over this account", Hold.LANE, retry_after_s=1.0)
