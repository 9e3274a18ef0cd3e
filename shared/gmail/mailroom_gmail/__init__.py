"""Gmail for Mailroom: sign-in (OAuth), reading and sending, with Google's own client library.

Shared by ingest_gmail (reads), outbound (sends) and the console (signs in); none of them knows Google's client.
"""

from .client import LARGEST_BYTES, GmailClient
from .messages import Arrival, HistoryPage, Listing, RawMessage, Sent
from .oauth import SCOPES, GoogleSettings, Grant, SignIn, kept_token, missing_scopes, token_to_keep
from .trouble import Expired, GmailTrouble, Limited, Refused, Revoked, Temporary

__all__ = [
    "LARGEST_BYTES",
    "SCOPES",
    "Arrival",
    "Expired",
    "GmailClient",
    "GmailTrouble",
    "GoogleSettings",
    "Grant",
    "HistoryPage",
    "Limited",
    "Listing",
    "RawMessage",
    "Refused",
    "Revoked",
    "Sent",
    "SignIn",
    "Temporary",
    "kept_token",
    "missing_scopes",
    "token_to_keep",
]
