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
    from .reading import read as read
    from .rendering import to_text as html_to_text
    from .safe_html import SafeHtml as SafeHtml
    from .safe_html import sanitize as sanitize
    from .kinds import classify as classify
    from .bounces import bounce_statuses as bounce_statuses
    from .bounces import is_failure as is_failure
    from .automatic import is_machine_address as is_machine_address
    from .replies import Reply as Reply
    from .replies import extract_reply as extract_reply
    from .conversation import conversation_root as conversation_root
    from .conversation import referenced_ids as referenced_ids
    from .conversation import strip_subject as strip_subject
    from .ticket_numbers import subject_tag as subject_tag
    from .ticket_numbers import ticket_number as ticket_number
    from .ticket_numbers import numbers_in_subject as numbers_in_subject
    from .signed_ids import sign_message_id as sign_message_id
    from .signed_ids import verify_message_id as verify_message_id
    from .signed_ids import plus_address as plus_address
    from .signed_ids import verify_plus_address as verify_plus_address
    from .message_identity import identity as identity
    from .composition import compose as compose
    from .composition import OutgoingMail as OutgoingMail
    from .composition import QuotedMail as QuotedMail
    from .composition import needs_smtputf8 as needs_smtputf8
    from .composition import trimmed_references as trimmed_references
    from .composition import text_to_html as text_to_html
    from .composition import dkim_sign as dkim_sign

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
}

__all__ = [  # noqa: PLE0604 - the lazy names are as public as the others
    "Attachment",
    "Bounce",
    "BouncedRecipient",
    "Forwarded",
    "Kind",
    "Mail",
    "Mailbox",
    "html_to_text",
    "read",
    "SafeHtml",
    "sanitize",
    "classify",
    "bounce_statuses",
    "is_failure",
    "is_machine_address",
    "Reply",
    "extract_reply",
    "conversation_root",
    "referenced_ids",
    "strip_subject",
    "subject_tag",
    "ticket_number",
    "numbers_in_subject",
    "sign_message_id",
    "verify_message_id",
    "plus_address",
    "verify_plus_address",
    "identity",
    "compose",
    "OutgoingMail",
    "QuotedMail",
    "needs_smtputf8",
    "trimmed_references",
    "text_to_html",
    "dkim_sign",
]


def __getattr__(name: str) -> object:
    try:
        module, attribute = _LAZY[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(import_module(f".{module}", __name__), attribute)
    globals()[name] = value
    return value
