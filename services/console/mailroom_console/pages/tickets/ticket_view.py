"""Tickets as the pages show them: conversation and events in one line, warnings about senders, folded quotes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mailroom_mail import digest_posts, in_doubt

from mailroom_console.languages import mark, say

from .attached_files import SHOWN_PICTURES, nameless, preview
from .event_words import Named, event_words, name_of

ON_A_PAGE = 50  # messages and events: each is looked at, and has a card
_LABELS = {
    "auto_reply": (mark("Automatic reply"), "info"),
    "note": (mark("Internal note"), "warn"),
    "out_of_office": (mark("Out of office"), ""),
    "bounce": (mark("Delivery failure"), "bad"),
    "external_reply": (mark("Written in Gmail"), "info"),
    "forward": (mark("Forwarded"), "warn"),
}
# A recipient's outcome in words, by state and whether a report from a server behind ours told it.
_OUTCOMES = {
    ("queued", False): mark("on its way"), ("deferred", False): mark("tried again later"), ("sent", False): mark("taken by the server"),
    ("deferred", True): mark("delayed, still being tried"), ("sent", True): mark("delivered"), ("failed", False): mark("not sent"),
    ("bounced", True): mark("bounced"), ("bounced", False): mark("bounced"), ("refused", False): mark("refused"),
    ("cancelled", False): mark("cancelled"),
}  # fmt: skip
_ENCRYPTED = frozenset({"application/pgp-encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"})


def row(ticket: Mapping[str, Any], queues: Named, agents: Named) -> dict[str, Any]:
    """A ticket of a list; what a search found in it is marked."""
    found = ticket.get("found") or {"subject": [], "excerpt": []}
    return {
        **ticket,
        "subject_pieces": found["subject"] or _unmarked(ticket["subject"] or say("(no subject)")),
        "excerpt_pieces": found["excerpt"] or _unmarked(" ".join((ticket.get("snippet") or "").split())[:240]),
        "queue_name": queues.get(ticket["queue_id"], {}).get("name", ""),
        "assignee": agents.get(ticket["assignee_id"] or ""),
    }


def _unmarked(text: str) -> list[dict[str, Any]]:
    return [{"text": text, "hit": False}]


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is shown of a conversation, and how many entries stand before and behind it."""

    shown: list[dict[str, Any]]
    earlier: int = 0
    later: int = 0


def timeline(
    ticket: Mapping[str, Any], queues: Named, agents: Named, skipped: int = 0, there: Collection[str] = ()
) -> Timeline:
    """Messages and events, oldest first: the latest ones but for `skipped`, as many as a page shows. `there`: the tickets
    that `named` says and that can be opened by now."""
    entries: list[tuple[str, int, dict[str, Any]]] = []
    for position, message in enumerate(ticket["messages"]):
        entries.append((message["at"] or "", position, {"message": message}))
    for event in ticket["history"]:
        if told := event_words(event, queues, agents):
            entries.append(
                (event["at"], 100_000 + event["version"],
                 {"message": None, "id": event["id"], "text": told, "at": event["at"],
                  "link": f"/tickets/{event['to_ticket']}" if event.get("to_ticket") in there else ""})
            )  # fmt: skip
    entries.sort(key=lambda entry: entry[:2])
    skipped = min(skipped, max(0, len(entries) - 1) // ON_A_PAGE * ON_A_PAGE)
    end = len(entries) - skipped
    some = [entry for _, _, entry in entries[max(0, end - ON_A_PAGE) : end]]
    made = [{**entry, "message": shown(entry["message"], agents)} if entry["message"] else entry for entry in some]
    return Timeline(made, max(0, end - ON_A_PAGE), skipped)


# What a mail is put into (`mailroom_mail.Mail.protection`), in words.
_PROTECTION = {
    "signed:smime": mark("signed (S/MIME); the signature was not checked"), "signed:openpgp": mark("signed (OpenPGP); the signature was not checked"),
    "encrypted:smime": mark("encrypted (S/MIME)"), "encrypted:openpgp": mark("encrypted (OpenPGP)"),
}  # fmt: skip


def named(ticket: Mapping[str, Any]) -> list[str]:
    """The tickets that mails of this one were moved to: each is on another partition, and there a moment later."""
    return [e["to_ticket"] for e in ticket["history"] if e["type"] == "ticket.message_split" and e.get("to_ticket")]


def shown(message: Mapping[str, Any], agents: Named) -> dict[str, Any]:
    """A message with what the templates need besides."""
    sender = message["from"] or {}
    author = message.get("author") or {}
    wrote = message.get("written_by") or sender
    name, email = wrote.get("name", ""), wrote.get("email", "")
    if message["direction"] != "in" and message["kind"] != "auto_reply":
        name = name_of(agents, author.get("id")) or author.get("name") or name
    label, tone = _LABELS.get(message["kind"], ("", ""))
    label = say(label)
    if message.get("quiet") and message["kind"] == "mail":
        label, tone = say("Automatic"), ""
    if message.get("redirected"):
        label, tone = say("Passed on a mail of {email}", email=message["redirected"]["email"]), ""
    if message.get("copy_of"):
        label, tone = say("Copy"), ""
    if message.get("third_party"):
        label, tone = say("Answers a forward: internal"), "warn"
    text, quoted = split_quote(message["text"] or "", message["reply_text"])
    base = f"/messages/{quote(message['id'], safe='')}"
    people = {field: [_person(p) for p in message.get(field) or []] for field in ("to", "cc", "bcc", "reply_to")}
    return {
        **message, **people, "delivery": delivery(message.get("delivery")),
        "who_name": name, "who_email": email, "label": label, "label_tone": tone,
        "from_line": f"{sender.get('name', '')} <{sender.get('email', '')}>".strip() if sender else say("unknown"),
        "doubts": in_doubt(message.get("defects") or []),
        "protection_words": "; ".join(say(_PROTECTION[one]) for one in message.get("protection") or [] if one in _PROTECTION),
        "verdict_words": verdict_words(message["verdicts"]) if message["direction"] == "in" else "",
        "warnings": warnings(message),
        "frame_url": f"{base}/frame" if message["html"] else None,
        "raw_url": f"{base}/raw" if message["raw_url"] else None,
        "cut_url": f"{base}/text" if message["truncated"] and not message["html"] else None,
        "shown_text": text, "quoted_text": quoted, "posts": posts(message),
        "files": [
            {"name": a["filename"] or nameless(a["content_type"]), "size": a["size"], "url": f"{base}/attachments/{a['index']}", "removed": a["removed_after_days"],
             **({} if a["removed_after_days"] else preview(a, base))}
            for a in message["attachments"] if a["removed_after_days"] or not _in_frame(a, message)
        ],
        "blank": blank(message), "splittable": message["direction"] == "in" and message["kind"] == "mail",
        "held_until": message.get("send_at"),
    }  # fmt: skip


def _in_frame(attachment: Mapping[str, Any], message: Mapping[str, Any]) -> bool:
    """Whether the mail's frame really shows this file: only then it is not among the others."""
    content_id, html = attachment.get("content_id"), message["html"]
    if not content_id or not html or message["truncated"] or attachment["content_type"] not in SHOWN_PICTURES:
        return False
    return f"cid:{content_id}" in html or f"cid:{quote(content_id)}" in html


def blank(message: Mapping[str, Any]) -> str:
    """Why there is nothing to read."""
    kinds = [str(a.get("content_type") or "") for a in message["attachments"]]
    if any(k in _ENCRYPTED for k in kinds):
        return say("This mail is encrypted: only its attachment can be saved.")
    if any(k == "message/partial" for k in kinds):
        return say("This is a piece of a longer mail that came in parts.")
    if kinds and all(k.startswith("image/") for k in kinds):
        return say("No text, only a picture.") if len(kinds) == 1 else say("No text, only pictures.")
    if any(k == "text/calendar" for k in kinds):
        return say("No text, only a calendar entry.")
    return say("No text, only files.") if kinds else say("(no text)")


def posts(message: Mapping[str, Any]) -> list[dict[str, str]]:
    """What stands in a digest, each to be opened by its subject; those that came as files are among the files."""
    if "digest" not in (message.get("automatic_signs") or []):
        return []
    return [
        {"subject": one.subject, "sender": one.sender, "text": one.text} for one in digest_posts(message["text"] or "")
    ]


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
         "words": say(_OUTCOMES.get((r.get("state"), bool(r.get("by_report"))), r.get("state", "")))}
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
    domain = email.rpartition("@")[2] or say("this sender")
    signed = any(d.get("result") == "pass" for d in verdicts.get("dkim") or [])
    if verdicts.get("dmarc") == "fail":
        found.append(_warning("bad", say("The sender could not be verified. Mail from {domain} should pass its own check (DMARC) and this one does not: anybody could have written it.", domain=domain)))  # fmt: skip
    elif verdicts.get("spf") == "fail" and not signed and verdicts.get("dmarc") not in ("pass", "forwarded"):
        found.append(
            _warning("warn", say("It did not come from a server that {domain} names as its own (SPF).", domain=domain))
        )
    if message["spam"]:
        found.append(_warning("warn", say("Judged to be spam. It gets no automatic reply.")))
    found += behind(message)
    if message["new_sender"]:
        email = (message.get("written_by") or message["from"] or {}).get("email", "")
        if message.get("written_by_grade") == "unknown":
            return found
        told = say("{email} is new in this conversation, and gets no replies until somebody confirms.", email=email)
        found.append(_warning("warn", told, confirm=email))
    return found


def behind(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Who wrote a mail whose From is another's, and how sure that is."""
    grade, lists = message.get("written_by_grade"), message.get("lists") or []
    wrote = (message.get("written_by") or {}).get("email", "")
    via = say("the mailing list {name}", name=lists[0]) if lists else say("one of your own addresses")
    if grade == "unknown":
        return [_warning("warn", say("It came from {via}, and nobody can tell who wrote it: an answer needs a recipient, and what goes to the list is read by all of it.", via=via))]  # fmt: skip
    if grade == "claimed":
        return [
            _warning(
                "warn",
                say(
                    "It came from {via}. That {wrote} wrote it is what the mail says; nothing proves it.",
                    via=via,
                    wrote=wrote,
                ),
            )
        ]
    if grade == "vouched":
        return [_warning("", say("It came from {via}, which says that {wrote} wrote it.", via=via, wrote=wrote))]
    if grade == "proven":
        return [
            _warning("", say("It came from {via}. {wrote} wrote it: their own signature holds.", via=via, wrote=wrote))
        ]
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
        told.append(say("forwarded by {who}", who=verdicts["forwarded_by"]))
    return ", ".join(told)


def forwardable(ticket: Mapping[str, Any]) -> list[dict[str, str]]:
    """The messages that can be forwarded one by one, the latest first."""
    found: list[dict[str, str]] = []
    for message in reversed(ticket["messages"]):
        if len(found) == 50:
            break
        if message["direction"] == "note" or message["kind"] == "bounce" or message.get("copy_of"):
            continue
        who = (message["from"] or {}).get("name") or (message["from"] or {}).get("email") or say("Unknown sender")
        words = " ".join((message["reply_text"] or message["text"] or "")[:400].split())[:60]
        found.append({"id": message["id"], "text": f"{who}: {words}"})
    return found


def closed_reason(address: Mapping[str, Any] | None) -> str:
    """Why one cannot answer from the ticket's address, or ""."""
    if address is None:
        return say("The address that this ticket came through is not there any more.")
    if not address["can_send"]:
        return say(
            "{email} is an internal address: it receives mail, but no replies can leave from it.",
            email=address["email"],
        )
    if not address["active"]:
        return say("{email} is disabled: it neither receives nor sends.", email=address["email"])
    return ""


def senders(addresses: Sequence[Mapping[str, Any]], queue_id: str, own_id: str) -> list[Mapping[str, Any]]:
    """Addresses that replies of this queue may leave from, the ticket's own first."""
    able = [a for a in addresses if a["can_send"] and a["active"] and (a["queue_id"] == queue_id or a["id"] == own_id)]
    return sorted(able, key=lambda a: (a["id"] != own_id, a["email"]))
