"""Reading and writing real-world mail (RFC 5322).

Names are loaded when first used, so that a service that only reads mail does not pay for the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .model import (
    Attachment,
    Bounce,
    BouncedRecipient,
    Forwarded,
    Kind,
    Mail,
    Mailbox,
)

if TYPE_CHECKING:
    from .authentication import organisational_domain as organisational_domain
    from .authentication import verdicts as verdicts
    from .automatic import is_machine_address as is_machine_address
    from .bounces import bounce_statuses as bounce_statuses
    from .bounces import is_failure as is_failure
    from .composition import OutgoingMail as OutgoingMail
    from .composition import QuotedMail as QuotedMail
    from .composition import compose as compose
    from .composition import dkim_sign as dkim_sign
    from .composition import needs_smtputf8 as needs_smtputf8
    from .composition import text_to_html as text_to_html
    from .composition import trimmed_references as trimmed_references
    from .conversation import conversation_root as conversation_root
    from .conversation import referenced_ids as referenced_ids
    from .conversation import strip_subject as strip_subject
    from .dns_lookup import Resolver as Resolver
    from .kinds import classify as classify
    from .known_forwarders import forwarded_verdict as forwarded_verdict
    from .known_forwarders import forwarder_of as forwarder_of
    from .known_forwarders import known_forwarder as known_forwarder
    from .message_identity import identity as identity
    from .reading import read as read
    from .rendering import to_text as html_to_text
    from .replies import Reply as Reply
    from .replies import extract_reply as extract_reply
    from .safe_html import SafeHtml as SafeHtml
    from .safe_html import sanitize as sanitize
    from .signed_ids import plus_address as plus_address
    from .signed_ids import sign_message_id as sign_message_id
    from .signed_ids import verify_message_id as verify_message_id
    from .signed_ids import verify_plus_address as verify_plus_address
    from .ticket_numbers import numbers_in_subject as numbers_in_subject
    from .ticket_numbers import subject_tag as subject_tag
    from .ticket_numbers import ticket_number as ticket_number
    from .verdict_records import DkimVerdict as DkimVerdict
    from .verdict_records import Forwarder as Forwarder
    from .verdict_records import Verdicts as Verdicts

# Public name: (module, name there). One line per name; each module keeps its own neighbours private.
_LAZY = {
    "html_to_text": ("rendering", "to_text"),
    "read": ("reading", "read"),
    "SafeHtml": ("safe_html", "SafeHtml"),
    "sanitize": ("safe_html", "sanitize"),
    "classify": ("kinds", "classify"),
    "bounce_statuses": ("bounces", "bounce_statuses"),
    "is_failure": ("bounces", "is_failure"),
    "is_machine_address": ("automatic", "is_machine_address"),
    "Reply": ("replies", "Reply"),
    "extract_reply": ("replies", "extract_reply"),
    "conversation_root": ("conversation", "conversation_root"),
    "referenced_ids": ("conversation", "referenced_ids"),
    "strip_subject": ("conversation", "strip_subject"),
    "subject_tag": ("ticket_numbers", "subject_tag"),
    "ticket_number": ("ticket_numbers", "ticket_number"),
    "numbers_in_subject": ("ticket_numbers", "numbers_in_subject"),
    "sign_message_id": ("signed_ids", "sign_message_id"),
    "verify_message_id": ("signed_ids", "verify_message_id"),
    "plus_address": ("signed_ids", "plus_address"),
    "verify_plus_address": ("signed_ids", "verify_plus_address"),
    "identity": ("message_identity", "identity"),
    "compose": ("composition", "compose"),
    "OutgoingMail": ("composition", "OutgoingMail"),
    "QuotedMail": ("composition", "QuotedMail"),
    "needs_smtputf8": ("composition", "needs_smtputf8"),
    "trimmed_references": ("composition", "trimmed_references"),
    "text_to_html": ("composition", "text_to_html"),
    "dkim_sign": ("composition", "dkim_sign"),
    "verdicts": ("authentication", "verdicts"),
    "organisational_domain": ("authentication", "organisational_domain"),
    "Resolver": ("dns_lookup", "Resolver"),
    "Verdicts": ("verdict_records", "Verdicts"),
    "DkimVerdict": ("verdict_records", "DkimVerdict"),
    "Forwarder": ("verdict_records", "Forwarder"),
    "forwarded_verdict": ("known_forwarders", "forwarded_verdict"),
    "forwarder_of": ("known_forwarders", "forwarder_of"),
    "known_forwarder": ("known_forwarders", "known_forwarder"),
}

__all__ = [
    "Attachment",
    "Bounce",
    "BouncedRecipient",
    "DkimVerdict",
    "Forwarded",
    "Forwarder",
    "Kind",
    "Mail",
    "Mailbox",
    "OutgoingMail",
    "QuotedMail",
    "Reply",
    "Resolver",
    "SafeHtml",
    "Verdicts",
    "bounce_statuses",
    "classify",
    "compose",
    "conversation_root",
    "dkim_sign",
    "extract_reply",
    "forwarded_verdict",
    "forwarder_of",
    "html_to_text",
    "identity",
    "is_failure",
    "is_machine_address",
    "known_forwarder",
    "needs_smtputf8",
    "numbers_in_subject",
    "organisational_domain",
    "plus_address",
    "read",
    "referenced_ids",
    "sanitize",
    "sign_message_id",
    "strip_subject",
    "subject_tag",
    "text_to_html",
    "ticket_number",
    "trimmed_references",
    "verdicts",
    "verify_message_id",
    "verify_plus_address",
]


def __getattr__(name: str) -> object:
    try:
        module, attribute = _LAZY[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(import_module(f".{module}", __name__), attribute)
    globals()[name] = value
    return value
