"""What happened to a ticket, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailroom_console.languages import count, mark, say

Named = Mapping[str, Mapping[str, Any]]
_WOKEN = {"time": mark("Back: its time has come"), "customer_replied": mark("Back: somebody wrote")}
_STATUS = {"open": mark("Opened"), "pending": mark("Set pending"), "closed": mark("Closed")}
_REOPENED = {
    "customer_replied": mark("Opened again: the customer answered"),
    "delivery_failed": mark("Opened again: a mail did not arrive"),
    "third_party_replied": mark("Opened again: whom it was forwarded to answered"),
}
_BACK = {
    "offline": mark("Back to the queue, whose agent was offline"),
    "inactive": mark("Back to the queue, whose agent was disabled"),
    "moved": mark("Back to the queue"),
}
_ASSIGNED = {
    "online": mark("Assigned to {who}, who was online"),
    "came_online": mark("Assigned to {who}, who came online"),
}


def event_words(event: Mapping[str, Any], queues: Named, agents: Named) -> str:
    """What an event says to people, or "" for one that the conversation shows anyway."""
    kind = str(event["type"]).removeprefix("ticket.")
    by = name_of(agents, (event.get("actor") or {}).get("id")) or (event.get("actor") or {}).get("name")
    reason = event.get("reason", "")
    if kind == "assigned":
        return _assigned(name_of(agents, event["assignee_id"]) or say("an agent"), reason, by)
    if kind == "unassigned":
        return say(_BACK[reason]) if reason in _BACK else _by(say("Back to the queue"), by)
    if kind == "status_changed":
        if reason in _REOPENED:
            return say(_REOPENED[reason])
        return "" if reason in ("merged", "unmerged") else _by(say(_STATUS.get(event["status"], event["status"])), by)
    if kind == "queue_changed":
        queue = queues.get(event["queue_id"], {}).get("name") or say("another queue")
        return _by(say("Moved to {queue}", queue=queue), by)
    if kind == "tags_changed":
        return _by(say("Tags: {tags}", tags=", ".join(event["tags"]) or say("none")), by)
    if kind == "snoozed":
        return _by(say("Put aside"), by)
    if kind == "woken":
        return say(_WOKEN.get(reason, mark("Back again")))
    if kind in ("merged", "unmerged"):
        return _by(say("Merged into another ticket") if kind == "merged" else say("Not merged any more"), by)
    if kind in ("took_in", "gave_back"):
        number = event.get("source_number") or say("another ticket")
        if kind == "took_in":
            return say("{number} was merged into this ticket", number=number)
        return say("{number} stands by itself again", number=number)
    if kind == "message_split":
        return _by(say("A mail got a ticket of its own"), by)
    if kind == "spam_changed":
        return _by(say("Spam") if event["spam"] else say("Not spam"), by)
    if kind == "files_removed":
        days = int(event["days"])
        return count(
            days,
            "Its files were removed, {n} day after it was closed",
            "Its files were removed, {n} days after it was closed",
        )
    if kind == "sender_confirmed":
        return _by(say("{who} takes part", who=event["email"]), by)
    return ""


def name_of(agents: Named, agent_id: str | None) -> str:
    """An agent's name, else address; "" for one that is not there."""
    agent = agents.get(agent_id or "", {})
    return str(agent.get("name") or agent.get("email") or "")


def _assigned(who: str, reason: str, by: str | None) -> str:
    if reason in _ASSIGNED:
        return say(_ASSIGNED[reason], who=who)
    if reason == "take" or by == who:
        return say("Taken by {who}", who=who)
    return _by(say("Assigned to {who}", who=who), by)


def _by(done: str, who: str | None) -> str:
    return say("{done} by {who}", done=done, who=who) if who else done
