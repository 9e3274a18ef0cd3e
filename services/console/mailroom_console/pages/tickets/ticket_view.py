"""Tickets as the pages show them: conversation and events in one line, warnings about senders, folded quotes. Pure."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from mailroom_mail import in_doubt

Named = Mapping[str, Mapping[str, Any]]
_LABELS = {
    "auto_reply": ("Automatic reply", "info"),
    "note": ("Internal note", "warn"),
    "out_of_office": ("Out of office", ""),
    "bounce": ("Delivery failure", "bad"),
    "external_reply": ("Written in Gmail", "info"),
    "forward": ("Forwarded", "warn"),
}
# A recipient's outcome in words, by state and whether a report from a server behind ours told it.
_OUTCOMES = {
    ("queued", False): "on its way", ("deferred", False): "tried again later", ("sent", False): "taken by the server",
    ("deferred", True): "delayed, still being tried", ("sent", True): "delivered", ("failed", False): "not sent",
    ("bounced", True): "bounced", ("bounced", False): "bounced", ("refused", False): "refused",
    ("cancelled", False): "cancelled",
}  # fmt: skip
_SHOWN_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_TEXTS = frozenset({"text/plain", "text/csv", "text/calendar", "text/markdown", "application/json", "text/x-log"})
_ENDINGS = {"message/rfc822": ".eml", "image/heic": ".heic", "image/heif": ".heif", "text/calendar": ".ics",
            "image/jpeg": ".jpg", "application/pgp-encrypted": ".asc"}  # fmt: skip
_ENCRYPTED = frozenset({"application/pgp-encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"})
_WOKEN = {"time": "Back: its time has come", "customer_replied": "Back: somebody wrote"}
_STATUS = {"open": "Opened", "pending": "Set pending", "closed": "Closed"}


def row(ticket: Mapping[str, Any], queues: Named, agents: Named) -> dict[str, Any]:
    """A ticket of a list."""
    return {
        **ticket,
        "excerpt": " ".join((ticket.get("snippet") or "").split())[:240],
        "queue_name": queues.get(ticket["queue_id"], {}).get("name", ""),
        "assignee": agents.get(ticket["assignee_id"] or ""),
    }


def timeline(ticket: Mapping[str, Any], queues: Named, agents: Named) -> list[dict[str, Any]]:
    """Messages and events, oldest first."""
    entries: list[tuple[str, int, dict[str, Any]]] = []
    for position, message in enumerate(ticket["messages"]):
        entries.append((message["at"] or "", position, {"message": shown(message, agents)}))
    for event in ticket["history"]:
        if told := event_words(event, queues, agents):
            entries.append(
                (event["at"], 100_000 + event["version"],
                 {"message": None, "id": event["id"], "text": told, "at": event["at"]})
            )  # fmt: skip
    entries.sort(key=lambda entry: entry[:2])
    return [entry for _, _, entry in entries]


def event_words(event: Mapping[str, Any], queues: Named, agents: Named) -> str:
    """What an event says to people, or "" for one that the conversation shows anyway."""
    kind = str(event["type"]).removeprefix("ticket.")
    by = _name(agents, (event.get("actor") or {}).get("id")) or (event.get("actor") or {}).get("name")
    reason = event.get("reason", "")
    if kind == "assigned":
        who = _name(agents, event["assignee_id"]) or "an agent"
        if reason in ("online", "came_online"):
            return f"Assigned to {who}, {'who was online' if reason == 'online' else 'who came online'}"
        return f"Taken by {who}" if reason == "take" or by == who else f"Assigned to {who}{f' by {by}' if by else ''}"
    if kind == "unassigned":
        why = {"offline": ", whose agent was offline", "moved": "", "inactive": ", whose agent was disabled"}
        return f"Back to the queue{why.get(reason, f' by {by}' if by else '')}"
    if kind == "status_changed":
        told = _STATUS.get(event["status"], event["status"])
        if reason == "customer_replied":
            return "Opened again: the customer answered"
        if reason == "delivery_failed":
            return "Opened again: a mail did not arrive"
        if reason == "third_party_replied":
            return "Opened again: whom it was forwarded to answered"
        if reason in ("merged", "unmerged"):
            return ""
        return f"{told}{f' by {by}' if by else ''}"
    if kind == "queue_changed":
        return f"Moved to {queues.get(event['queue_id'], {}).get('name', 'another queue')}{f' by {by}' if by else ''}"
    if kind == "tags_changed":
        return f"Tags: {', '.join(event['tags']) or 'none'}{f', by {by}' if by else ''}"
    if kind == "snoozed":
        return f"Put aside{f' by {by}' if by else ''}"
    if kind == "woken":
        return _WOKEN.get(reason, "Back again")
    if kind in ("merged", "unmerged"):
        done = "Merged into another ticket" if kind == "merged" else "Not merged any more"
        return f"{done}{f', by {by}' if by else ''}"
    if kind in ("took_in", "gave_back"):
        number = event.get("source_number") or "another ticket"
        return f"{number} was merged into this ticket" if kind == "took_in" else f"{number} stands by itself again"
    if kind == "message_split":
        return f"A mail got a ticket of its own{f', by {by}' if by else ''}"
    if kind == "spam_changed":
        return f"{'Spam' if event['spam'] else 'Not spam'}{f', says {by}' if by else ''}"
    if kind == "sender_confirmed":
        return f"{event['email']} takes part{f', confirmed by {by}' if by else ''}"
    return ""


# What a mail is put into (`mailroom_mail.Mail.protection`), in words.
_PROTECTION = {
    "signed:smime": "signed (S/MIME); the signature was not checked", "signed:openpgp": "signed (OpenPGP); the signature was not checked",
    "encrypted:smime": "encrypted (S/MIME)", "encrypted:openpgp": "encrypted (OpenPGP)",
}  # fmt: skip


def _name(agents: Named, agent_id: str | None) -> str:
    agent = agents.get(agent_id or "", {})
    return str(agent.get("name") or agent.get("email") or "")


def shown(message: Mapping[str, Any], agents: Named) -> dict[str, Any]:
    """A message with what the templates need besides."""
    sender = message["from"] or {}
    author = message.get("author") or {}
    wrote = message.get("written_by") or sender
    name, email = wrote.get("name", ""), wrote.get("email", "")
    if message["direction"] != "in" and message["kind"] != "auto_reply":
        name = _name(agents, author.get("id")) or author.get("name") or name
    label, tone = _LABELS.get(message["kind"], ("", ""))
    if message.get("quiet") and message["kind"] == "mail":
        label, tone = "Automatic", ""
    if message.get("redirected"):
        label, tone = f"Passed on a mail of {message['redirected']['email']}", ""
    if message.get("copy_of"):
        label, tone = "Copy", ""
    if message.get("third_party"):
        label, tone = "Answers a forward: internal", "warn"
    text, quoted = split_quote(message["text"] or "", message["reply_text"])
    base = f"/messages/{quote(message['id'], safe='')}"
    people = {field: [_person(p) for p in message.get(field) or []] for field in ("to", "cc", "bcc", "reply_to")}
    return {
        **message, **people, "delivery": delivery(message.get("delivery")),
        "who_name": name, "who_email": email, "label": label, "label_tone": tone,
        "from_line": f"{sender.get('name', '')} <{sender.get('email', '')}>".strip() if sender else "unknown",
        "doubts": in_doubt(message.get("defects") or []),
        "protection_words": "; ".join(_PROTECTION[one] for one in message.get("protection") or [] if one in _PROTECTION),
        "verdict_words": verdict_words(message["verdicts"]) if message["direction"] == "in" else "",
        "warnings": warnings(message),
        "frame_url": f"{base}/frame" if message["html"] else None,
        "raw_url": f"{base}/raw" if message["raw_url"] else None,
        "cut_url": f"{base}/text" if message["truncated"] and not message["html"] else None,
        "shown_text": text, "quoted_text": quoted,
        "files": [
            {"name": a["filename"] or nameless(a["content_type"]), "size": a["size"], "url": f"{base}/attachments/{a['index']}", **preview(a, base)}
            for a in message["attachments"] if not _in_frame(a, message)
        ],
        "blank": blank(message), "splittable": message["direction"] == "in" and message["kind"] == "mail",
        "held_until": message.get("send_at"),
    }  # fmt: skip


def _in_frame(attachment: Mapping[str, Any], message: Mapping[str, Any]) -> bool:
    """Whether the mail's frame really shows this file: only then it is not among the others."""
    content_id, html = attachment.get("content_id"), message["html"]
    if not content_id or not html or message["truncated"] or attachment["content_type"] not in _SHOWN_PICTURES:
        return False
    return f"cid:{content_id}" in html or f"cid:{quote(content_id)}" in html


def blank(message: Mapping[str, Any]) -> str:
    """Why there is nothing to read."""
    kinds = [str(a.get("content_type") or "") for a in message["attachments"]]
    if any(k in _ENCRYPTED for k in kinds):
        return "This mail is encrypted: only its attachment can be saved."
    if any(k == "message/partial" for k in kinds):
        return "This is a piece of a longer mail that came in parts."
    if kinds and all(k.startswith("image/") for k in kinds):
        return "No text, only a picture." if len(kinds) == 1 else "No text, only pictures."
    if any(k == "text/calendar" for k in kinds):
        return "No text, only a calendar entry."
    return "No text, only files." if kinds else "(no text)"


def preview(attachment: Mapping[str, Any], base: str) -> dict[str, str]:
    """How a file can be looked at in place: `preview` picture, text or "", and `preview_url`."""
    kind = str(attachment["content_type"]).lower().partition(";")[0].strip()
    if kind in _SHOWN_PICTURES:
        return {"preview": "picture", "preview_url": f"{base}/pictures/{attachment['index']}"}
    if kind in _TEXTS:
        return {"preview": "text", "preview_url": f"{base}/texts/{attachment['index']}"}
    return {"preview": "", "preview_url": ""}


def nameless(content_type: str) -> str:
    """A name with the right extension for a file that has none."""
    kind = content_type.lower().partition(";")[0].strip()
    ending = _ENDINGS.get(kind) or mimetypes.guess_extension(kind) or ""
    return f"{'picture' if kind.startswith('image/') else 'attachment'}{ending}"


def _person(person: Mapping[str, Any]) -> dict[str, str]:
    return {"name": str(person.get("name") or ""), "email": str(person.get("email") or "")}


def delivery(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """How sending stands; what an event left out is None."""
    if given is None:
        return None
    recipients = [
        {"recipient": r.get("recipient", ""), "state": r.get("state", ""), "reason": r.get("reason")}
        for r in given.get("recipients") or []
    ]
    outcomes = [
        {"recipient": r.get("recipient", ""), "reason": r.get("reason"),
         "words": _OUTCOMES.get((r.get("state"), bool(r.get("by_report"))), r.get("state", ""))}
        for r in given.get("recipients") or []
    ]  # fmt: skip
    lost = [r["recipient"] for r in recipients if r["state"] in ("failed", "bounced", "refused", "cancelled")]
    partly = len(lost) if 0 < len(lost) < len(recipients) else 0
    names = ("state", "reason", "next_try_at", "server_reply", "at")
    return {name: given.get(name) for name in names} | {
        "recipients": recipients,
        "outcomes": outcomes,
        "partly": partly,
    }


def split_quote(text: str, reply_text: str | None) -> tuple[str, str]:
    """What the person wrote, and the rest, which is folded."""
    text = text.strip("\n")
    own = (reply_text or "").strip()
    if not own or own == text.strip():
        return text, ""
    if text.lstrip().startswith(own):
        return own, text.lstrip()[len(own) :].strip("\n")
    return own, text


def warnings(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What one should know of the sender before believing the mail."""
    if message["direction"] != "in":
        return []
    found: list[dict[str, Any]] = []
    verdicts = message["verdicts"] or {}
    email = (message["from"] or {}).get("email", "")
    domain = email.rpartition("@")[2] or "this sender"
    signed = any(d.get("result") == "pass" for d in verdicts.get("dkim") or [])
    if verdicts.get("dmarc") == "fail":
        found.append(_warning("bad", f"The sender could not be verified. Mail from {domain} should pass its own check "
                              "(DMARC) and this one does not: anybody could have written it."))  # fmt: skip
    elif verdicts.get("spf") == "fail" and not signed and verdicts.get("dmarc") not in ("pass", "forwarded"):
        found.append(_warning("warn", f"It did not come from a server that {domain} names as its own (SPF)."))
    if message["spam"]:
        found.append(_warning("warn", "Judged to be spam. It gets no automatic reply."))
    found += behind(message)
    if message["new_sender"]:
        email = (message.get("written_by") or message["from"] or {}).get("email", "")
        if message.get("written_by_grade") == "unknown":
            return found
        told = f"{email} is new in this conversation, and gets no replies until somebody confirms."
        found.append(_warning("warn", told, confirm=email))
    return found


def behind(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Who wrote a mail whose From is another's, and how sure that is."""
    grade, lists = message.get("written_by_grade"), message.get("lists") or []
    wrote = (message.get("written_by") or {}).get("email", "")
    via = f"the mailing list {lists[0]}" if lists else "one of your own addresses"
    if grade == "unknown":
        return [_warning("warn", f"It came from {via}, and nobody can tell who wrote it: an answer needs a recipient, "
                         "and what goes to the list is read by all of it.")]  # fmt: skip
    if grade == "claimed":
        return [
            _warning("warn", f"It came from {via}. That {wrote} wrote it is what the mail says; nothing proves it.")
        ]
    if grade == "vouched":
        return [_warning("", f"It came from {via}, which says that {wrote} wrote it.")]
    if grade == "proven":
        return [_warning("", f"It came from {via}. {wrote} wrote it: their own signature holds.")]
    return []


def _warning(tone: str, text: str, confirm: str | None = None) -> dict[str, Any]:
    return {"tone": tone, "text": text, "confirm": confirm}


def verdict_words(verdicts: Mapping[str, Any] | None) -> str:
    """SPF, DKIM and DMARC in one line."""
    if not verdicts:
        return ""
    told = [f"SPF {verdicts.get('spf', 'none')}"]
    signatures = verdicts.get("dkim") or []
    told += [f"DKIM {d.get('result')} ({d.get('domain')})" for d in signatures[:3]] or ["DKIM none"]
    told.append(f"DMARC {verdicts.get('dmarc', 'none')}")
    if verdicts.get("forwarded_by"):
        told.append(f"forwarded by {verdicts['forwarded_by']}")
    return ", ".join(told)


def forwardable(ticket: Mapping[str, Any]) -> list[dict[str, str]]:
    """The messages that can be forwarded one by one, the latest first."""
    found = []
    for message in reversed(ticket["messages"]):
        if message["direction"] == "note" or message["kind"] == "bounce" or message.get("copy_of"):
            continue
        who = (message["from"] or {}).get("name") or (message["from"] or {}).get("email") or "Unknown sender"
        words = " ".join((message["reply_text"] or message["text"] or "").split())[:60]
        found.append({"id": message["id"], "text": f"{who}: {words}"})
    return found[:50]


def closed_reason(address: Mapping[str, Any] | None) -> str:
    """Why one cannot answer from the ticket's address, or ""."""
    if address is None:
        return "The address that this ticket came through is not there any more."
    if not address["can_send"]:
        return f"{address['email']} is an internal address: it receives mail, but no replies can leave from it."
    if not address["active"]:
        return f"{address['email']} is disabled: it neither receives nor sends."
    return ""


def senders(addresses: Sequence[Mapping[str, Any]], queue_id: str, own_id: str) -> list[Mapping[str, Any]]:
    """Addresses that replies of this queue may leave from, the ticket's own first."""
    able = [a for a in addresses if a["can_send"] and a["active"] and (a["queue_id"] == queue_id or a["id"] == own_id)]
    return sorted(able, key=lambda a: (a["id"] != own_id, a["email"]))
