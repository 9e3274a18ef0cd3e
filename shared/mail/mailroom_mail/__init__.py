"""Reading and writing real-world mail (RFC 5322).

Names are loaded when first used, so that a service that only reads mail does not pay for the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mailroom_mail.reading.model import Attachment, Bounce, BouncedRecipient, Forwarded, Kind, ListPost, Mail, Mailbox

if TYPE_CHECKING:
    from mailroom_mail.kinds.automatic import is_machine_address as is_machine_address
    from mailroom_mail.kinds.bounces import bounce_statuses as bounce_statuses
    from mailroom_mail.kinds.bounces import is_failure as is_failure
    from mailroom_mail.kinds.digests import digest_posts as digest_posts
    from mailroom_mail.kinds.mail_kind import classify as classify
    from mailroom_mail.kinds.returned_mail import returned_people as returned_people
    from mailroom_mail.reading.defect_names import in_doubt as in_doubt
    from mailroom_mail.reading.domain_names import ascii_address as ascii_address
    from mailroom_mail.reading.domain_names import ascii_domain as ascii_domain
    from mailroom_mail.reading.domain_names import comparable as comparable
    from mailroom_mail.reading.invitation import uids as invitation_uids
    from mailroom_mail.reading.reader import read as read
    from mailroom_mail.showing.rendering import to_text as html_to_text
    from mailroom_mail.showing.safe_html import SafeHtml as SafeHtml
    from mailroom_mail.showing.safe_html import sanitize as sanitize
    from mailroom_mail.threads.conversation import conversation_root as conversation_root
    from mailroom_mail.threads.conversation import referenced_ids as referenced_ids
    from mailroom_mail.threads.conversation import strip_subject as strip_subject
    from mailroom_mail.threads.conversation import without_spam_mark as without_spam_mark
    from mailroom_mail.threads.list_post import is_list_control as is_list_control
    from mailroom_mail.threads.message_identity import identity as identity
    from mailroom_mail.threads.signed_ids import is_thread_mark as is_thread_mark
    from mailroom_mail.threads.signed_ids import plus_address as plus_address
    from mailroom_mail.threads.signed_ids import sign_message_id as sign_message_id
    from mailroom_mail.threads.signed_ids import thread_mark as thread_mark
    from mailroom_mail.threads.signed_ids import verify_message_id as verify_message_id
    from mailroom_mail.threads.signed_ids import verify_plus_address as verify_plus_address
    from mailroom_mail.threads.ticket_numbers import numbers_in_subject as numbers_in_subject
    from mailroom_mail.threads.ticket_numbers import subject_tag as subject_tag
    from mailroom_mail.threads.ticket_numbers import their_numbers as their_numbers
    from mailroom_mail.threads.ticket_numbers import ticket_number as ticket_number
    from mailroom_mail.trust.authentication import verdicts as verdicts
    from mailroom_mail.trust.dns_lookup import Resolver as Resolver
    from mailroom_mail.trust.known_forwarders import forwarded_verdict as forwarded_verdict
    from mailroom_mail.trust.known_forwarders import forwarder_of as forwarder_of
    from mailroom_mail.trust.known_forwarders import known_forwarder as known_forwarder
    from mailroom_mail.trust.verdict_records import DkimVerdict as DkimVerdict
    from mailroom_mail.trust.verdict_records import Forwarder as Forwarder
    from mailroom_mail.trust.verdict_records import Verdicts as Verdicts
    from mailroom_mail.typed.company_html import company_ranges as company_ranges
    from mailroom_mail.typed.introduction import introduction_start as introduction_start
    from mailroom_mail.typed.replies import Reply as Reply
    from mailroom_mail.typed.replies import extract_reply as extract_reply
    from mailroom_mail.writing.composition import OutgoingMail as OutgoingMail
    from mailroom_mail.writing.composition import compose as compose
    from mailroom_mail.writing.composition import dkim_sign as dkim_sign
    from mailroom_mail.writing.composition import needs_smtputf8 as needs_smtputf8
    from mailroom_mail.writing.composition import trimmed_references as trimmed_references
    from mailroom_mail.writing.plain_html import text_to_html as text_to_html
    from mailroom_mail.writing.quotation import QuotedMail as QuotedMail

# Public name: (module, name there). One line per name; each module keeps its own neighbours private.
_LAZY = {
    "in_doubt": ("reading.defect_names", "in_doubt"),
    "html_to_text": ("showing.rendering", "to_text"),
    "invitation_uids": ("reading.invitation", "uids"),
    "read": ("reading.reader", "read"),
    "ascii_address": ("reading.domain_names", "ascii_address"),
    "ascii_domain": ("reading.domain_names", "ascii_domain"),
    "comparable": ("reading.domain_names", "comparable"),
    "SafeHtml": ("showing.safe_html", "SafeHtml"),
    "sanitize": ("showing.safe_html", "sanitize"),
    "classify": ("kinds.mail_kind", "classify"),
    "digest_posts": ("kinds.digests", "digest_posts"),
    "bounce_statuses": ("kinds.bounces", "bounce_statuses"),
    "returned_people": ("kinds.returned_mail", "returned_people"),
    "is_failure": ("kinds.bounces", "is_failure"),
    "without_spam_mark": ("threads.conversation", "without_spam_mark"),
    "is_list_control": ("threads.list_post", "is_list_control"),
    "is_machine_address": ("kinds.automatic", "is_machine_address"),
    "Reply": ("typed.replies", "Reply"),
    "extract_reply": ("typed.replies", "extract_reply"),
    "conversation_root": ("threads.conversation", "conversation_root"),
    "referenced_ids": ("threads.conversation", "referenced_ids"),
    "strip_subject": ("threads.conversation", "strip_subject"),
    "subject_tag": ("threads.ticket_numbers", "subject_tag"),
    "ticket_number": ("threads.ticket_numbers", "ticket_number"),
    "their_numbers": ("threads.ticket_numbers", "their_numbers"),
    "numbers_in_subject": ("threads.ticket_numbers", "numbers_in_subject"),
    "is_thread_mark": ("threads.signed_ids", "is_thread_mark"),
    "sign_message_id": ("threads.signed_ids", "sign_message_id"),
    "thread_mark": ("threads.signed_ids", "thread_mark"),
    "verify_message_id": ("threads.signed_ids", "verify_message_id"),
    "plus_address": ("threads.signed_ids", "plus_address"),
    "verify_plus_address": ("threads.signed_ids", "verify_plus_address"),
    "company_ranges": ("typed.company_html", "company_ranges"),
    "introduction_start": ("typed.introduction", "introduction_start"),
    "identity": ("threads.message_identity", "identity"),
    "compose": ("writing.composition", "compose"),
    "OutgoingMail": ("writing.composition", "OutgoingMail"),
    "QuotedMail": ("writing.quotation", "QuotedMail"),
    "needs_smtputf8": ("writing.composition", "needs_smtputf8"),
    "trimmed_references": ("writing.composition", "trimmed_references"),
    "text_to_html": ("writing.plain_html", "text_to_html"),
    "dkim_sign": ("writing.composition", "dkim_sign"),
    "verdicts": ("trust.authentication", "verdicts"),
    "Resolver": ("trust.dns_lookup", "Resolver"),
    "Verdicts": ("trust.verdict_records", "Verdicts"),
    "DkimVerdict": ("trust.verdict_records", "DkimVerdict"),
    "Forwarder": ("trust.verdict_records", "Forwarder"),
    "forwarded_verdict": ("trust.known_forwarders", "forwarded_verdict"),
    "forwarder_of": ("trust.known_forwarders", "forwarder_of"),
    "known_forwarder": ("trust.known_forwarders", "known_forwarder"),
}

__all__ = [
    "Attachment",
    "Bounce",
    "BouncedRecipient",
    "DkimVerdict",
    "Forwarded",
    "Forwarder",
    "Kind",
    "ListPost",
    "Mail",
    "Mailbox",
    "OutgoingMail",
    "QuotedMail",
    "Reply",
    "Resolver",
    "SafeHtml",
    "Verdicts",
    "ascii_address",
    "ascii_domain",
    "bounce_statuses",
    "classify",
    "company_ranges",
    "comparable",
    "compose",
    "conversation_root",
    "digest_posts",
    "dkim_sign",
    "extract_reply",
    "forwarded_verdict",
    "forwarder_of",
    "html_to_text",
    "identity",
    "in_doubt",
    "introduction_start",
    "invitation_uids",
    "is_failure",
    "is_list_control",
    "is_machine_address",
    "is_thread_mark",
    "known_forwarder",
    "needs_smtputf8",
    "numbers_in_subject",
    "plus_address",
    "read",
    "referenced_ids",
    "returned_people",
    "sanitize",
    "sign_message_id",
    "strip_subject",
    "subject_tag",
    "text_to_html",
    "their_numbers",
    "thread_mark",
    "ticket_number",
    "trimmed_references",
    "verdicts",
    "verify_message_id",
    "verify_plus_address",
    "without_spam_mark",
]


def __getattr__(name: str) -> object:
    try:
        module, attribute = _LAZY[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(import_module(f".{module}", __name__), attribute)
    globals()[name] = value
    return value
