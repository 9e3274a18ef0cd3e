"""Providers' error codes in plain words, with what must be done. Pure.

Sources: RFC 6749 sections 4.1.2.1 and 5.2; Microsoft, "Microsoft Entra authentication and authorization error codes"
(learn.microsoft.com/entra/identity-platform/reference-error-codes): the place to compare with, not read again for this.
"""

from __future__ import annotations

import re

from .trouble import OAuthTrouble, ProviderAway, SetUpWrong, SignInNeeded

_AADSTS = re.compile(r"AADSTS(\d{4,9})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
LONGEST_WORDS = 300

_ADMIN = "An administrator of the mailbox's organisation must"
_SIGN_IN: dict[str, str] = {
    "16000": "Several accounts are signed in there: sign in again and choose one.",
    "50020": "The account belongs to another organisation than the application allows. Sign in with an account of that "
    "organisation, or let the operator set MAILROOM_MICROSOFT_AUTHORITY to …/common.",
    "50034": "There is no such account in that organisation.",
    "50053": "The account is locked after too many wrong passwords. Wait, or let an administrator unlock it.",
    "50055": "The account's password has expired: change it at Microsoft, then sign in again.",
    "50057": "The account is disabled: an administrator of its organisation must enable it.",
    "50072": "The account must set up multi-factor sign-in first: sign in again and follow Microsoft's steps.",
    "50074": "Multi-factor sign-in is asked for: sign in again.",
    "50076": "Multi-factor sign-in is asked for, because the organisation's rules changed or the account moved: sign in again.",
    "50078": "The multi-factor sign-in has expired: sign in again.",
    "50079": "The account must set up multi-factor sign-in: sign in again and follow Microsoft's steps.",
    "50105": f"{_ADMIN} assign this account to the application (Entra admin center, Enterprise applications, Users and groups).",
    "50126": "User name or password was wrong: sign in again.",
    "50132": "The sign-in ended, because the password was changed or the session revoked: sign in again.",
    "50133": "The sign-in ended, because the password was changed: sign in again.",
    "50140": "Microsoft asks whether to stay signed in: sign in again.",
    "50158": "The organisation asks for one more check at sign-in: sign in again.",
    "50173": "The sign-in ended, because the password was changed or the access revoked: sign in again.",
    "53000": f"{_ADMIN} allow it: a rule (Conditional Access) asks for a compliant device.",
    "53001": f"{_ADMIN} allow it: a rule (Conditional Access) asks for a joined device.",
    "53003": f"{_ADMIN} allow it: a rule (Conditional Access) blocks this sign-in.",
    "53004": "The account must prove who it is before it can set up multi-factor sign-in: sign in there first.",
    "54005": "That sign-in was used already: sign in again.",
    "65001": "Consent is missing or was withdrawn: sign in again and accept, or let an administrator of the organisation "
    "grant it (Entra admin center, Enterprise applications, Permissions, Grant admin consent).",
    "65004": "Access was not allowed: nothing was changed. Sign in again and accept what is asked.",
    "70000": "Microsoft does not take the sign-in any more: sign in again.",
    "70008": "The sign-in has expired, because it was not used for a long time: sign in again.",
    "70043": "The organisation lets sign-ins last only so long: sign in again.",
    "70044": "The session has ended by the organisation's rules: sign in again.",
    "75011": "Another way of signing in is asked for: sign in again.",
    "90094": f"{_ADMIN} grant consent: users may not do so there. (Entra admin center, Enterprise applications, Permissions, "
    "Grant admin consent.)",
    "90095": f"{_ADMIN} approve the request for consent first.",
    "90072": "The account is not known in that organisation: sign in with another one.",
    "135010": "Microsoft asks for a sign-in with a password or a passkey: sign in again.",
    "160021": "The session was not there any more: sign in again.",
    "530002": f"{_ADMIN} allow it: a rule (Conditional Access) asks for a managed device.",
    "530003": f"{_ADMIN} allow it: a rule (Conditional Access) asks for a registered device.",
    "530035": f"{_ADMIN} allow it: the organisation's security defaults block this sign-in.",
    "700082": "The sign-in has expired, because it was not used for 90 days: sign in again.",
    "700084": "The sign-in has expired after its longest time: sign in again.",
    "700003": "The device was removed from the organisation: sign in again.",
}
_SET_UP: dict[str, str] = {
    "50011": "The redirect address is not registered: add this installation's …/oauth/microsoft/callback to the application "
    "(Entra admin center, App registrations, Authentication).",
    "500113": "No redirect address is registered with the application (Entra admin center, Authentication).",
    "50194": "The application is for one organisation only: set MAILROOM_MICROSOFT_AUTHORITY to …/<tenant id>, or make the "
    "application multi-tenant.",
    "50128": "There is no such organisation: check MAILROOM_MICROSOFT_AUTHORITY.",
    "65005": "The application lacks a permission: add Office 365 Exchange Online, delegated, SMTP.Send.",
    "650052": "The organisation has no Exchange Online for this application: SMTP.Send cannot be granted there.",
    "650057": "The application lacks the permission SMTP.Send: add it (API permissions, Office 365 Exchange Online).",
    "70011": "The permission SMTP.Send is unknown there: add Office 365 Exchange Online, delegated, SMTP.Send.",
    "700016": "The application is not known in that organisation: check MAILROOM_MICROSOFT_CLIENT_ID and …_AUTHORITY.",
    "700025": "The application is registered as a public client: register the redirect address as platform “Web”.",
    "7000112": "The application is disabled at Microsoft.",
    "7000215": "The client secret is wrong: MAILROOM_MICROSOFT_CLIENT_SECRET takes the secret's value, not its id.",
    "7000222": "The client secret has expired: make a new one (Certificates & secrets), set MAILROOM_MICROSOFT_CLIENT_SECRET.",
    "7000218": "The client secret is missing: set MAILROOM_MICROSOFT_CLIENT_SECRET.",
    "9002326": "The redirect address is registered as a single-page application: register it as platform “Web”.",
    "90002": "There is no such organisation: check MAILROOM_MICROSOFT_AUTHORITY.",
    "90130": "This application is not for personal accounts: make it multi-tenant with personal accounts, or sign in with a "
    "work account.",
}
_AWAY = frozenset(
    {"90033", "90019", "90020", "90024", "50196", "50087", "50000", "90025", "90036", "90055", "50029", "220501"}
)
_SIGN_IN_ERRORS = {
    "invalid_grant": "The sign-in is not taken any more: access was withdrawn, the password changed, or it expired. Sign in again.",
    "access_denied": "Access was not allowed; nothing was changed. Sign in again and accept what is asked.",
    "interaction_required": "The provider wants to ask you something: sign in again.",
    "login_required": "The provider wants you to sign in again.",
    "consent_required": "Consent is missing or was withdrawn: sign in again and accept, or let an administrator grant it.",
    "account_selection_required": "Sign in again and choose an account.",
    "mfa_required": "Multi-factor sign-in is asked for: sign in again.",
}
_AWAY_ERRORS = ("temporarily_unavailable", "server_error", "slow_down", "request_timeout", "too_many_requests")


def trouble(error: str, description: str, *, name: str, status: int = 400) -> OAuthTrouble:
    """The trouble behind an error answer of provider `name`; `status` is HTTP's (0: it came by redirect)."""
    words = one_line(description) or one_line(error) or "no reason given"
    found = _AADSTS.search(description or "")
    number = found.group(1) if found else ""
    code = f"AADSTS{number}" if number else one_line(error)[:60]
    said = f"{name} said: {words}"
    if number in _AWAY or error in _AWAY_ERRORS or status >= 500 or status in (408, 429):
        return ProviderAway(f"{name}'s sign-in is away for now. {said}", code)
    if number in _SIGN_IN:
        return SignInNeeded(f"{_SIGN_IN[number]} ({code})", code)
    if number in _SET_UP:
        return SetUpWrong(f"{_SET_UP[number]} ({code})", code)
    if error in _SIGN_IN_ERRORS:
        return SignInNeeded(f"{_SIGN_IN_ERRORS[error]} {said}", code)
    if error in ("invalid_client", "unauthorized_client"):
        return SetUpWrong(f"{name} does not know this installation: its client id or secret is wrong. {said}", code)
    if error in (
        "invalid_request",
        "invalid_scope",
        "unsupported_grant_type",
        "unsupported_response_type",
        "redirect_uri_mismatch",
    ):
        return SetUpWrong(f"{name} does not take what this installation asks for. {said}", code)
    return SignInNeeded(f"{name} refused. {said} Sign in again.", code)


def one_line(text: str) -> str:
    """A provider's words on one line, cut. Entra's go on with trace ids after the first sentence or two."""
    flat = " ".join(_CONTROL.sub(" ", str(text or "")).split())
    return flat.partition(" Trace ID:")[0][:LONGEST_WORDS]
