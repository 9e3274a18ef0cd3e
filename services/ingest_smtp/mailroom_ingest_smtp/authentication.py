"""Sender authentication on receipt: what is looked up, what a front server's word replaces, and for how long."""

from __future__ import annotations

from mailroom_contracts import Verdicts

from .session import Delivery


class NoJudge:
    """Verdicts switched off: every one is `none`."""

    async def verdicts(self, delivery: Delivery) -> Verdicts:
        return Verdicts(source="off")
