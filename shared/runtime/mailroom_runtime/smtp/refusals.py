"""What a server's answer to a login means, in words for people and by who can mend it. Pure.

RFC 4954 sections 4 and 6 have the codes; Postfix and Exim say 535 while the service that checks their logins is away, and
only the JSON of a 334 tells that from a token that is no good. Seen with Postfix 3.7 and 3.10, Dovecot 2.3 and 2.4, Exim 4.96.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .trouble import SmtpTrouble, said

NOT_THIS_WAY = (500, 501, 502, 504)  # it does not know the command or the mechanism: nobody was refused
_ENHANCED = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_DISABLED = re.compile(r"smtpclientauth\w{0,40} is disabled", re.IGNORECASE)
_TLS = re.compile(r"\b(?:starttls|tls|ssl|encrypt\w*)\b", re.IGNORECASE)
_NO_PASSWORDS = re.compile(
    r"basic auth\w* (?:is )?(?:disabled|not supported)|application-specific password|app(?:lication)?[ -]password|"
    r"web ?browser|modern auth|oauth|security defaults",
    re.IGNORECASE,
)
TURN_ON = (
    "Authenticated SMTP is switched off for this mailbox. An administrator of the Microsoft 365 organisation turns it on: "
    "Microsoft 365 admin center, Users, Active users, choose the mailbox, Mail, Manage email apps, tick “Authenticated "
    "SMTP”, save. It takes up to an hour."
)
SEND_AS = (
    "The account that signed in may not send as this address. An administrator gives it that right (Exchange admin center, "
    "the mailbox, Delegation, “Send as”), or somebody signs in as the address itself."
)


def status_of(text: str) -> str:
    """The enhanced status code (RFC 3463) near the beginning, or an empty string."""
    found = _ENHANCED.search(text[:40])
    return found.group(1) if found else ""


def of_login(code: int, text: str, *, token: bool, told: Mapping[str, str] | None, private: bool) -> SmtpTrouble:
    """What the last answer to an AUTH means. `told`: the JSON of a 334 before it; None: there was no 334."""
    words = f"It said: {said(code, text)}"
    if _DISABLED.search(text):
        return SmtpTrouble("smtp_auth_disabled", f"{TURN_ON} {words}")
    if told is not None and (found := _by_challenge(told, words)) is not None:
        return found
    if (certain := _by_words(code, text, words, token=token, private=private)) is not None:
        return certain
    if code < 500:
        return SmtpTrouble("login_unavailable", _waiting(code, text, words), temporary=True)
    if token:
        # without a 334 nobody looked at the token, or the server keeps what it found to itself
        return SmtpTrouble(
            "token_refused", f"The server refused the sign-in. {words}", doubtful=told is None
        )  # fmt: skip
    return SmtpTrouble("login_refused", f"The server refused the login. {words}", doubtful=code == 535)


def not_offered(*, token: bool, offered: list[str], private: bool, starttls: bool) -> SmtpTrouble:
    """The server offers no mechanism that we could use."""
    if not private and (starttls or not offered):
        return SmtpTrouble(
            "tls_needed",
            "The server takes no login on an open line. Set Encryption to STARTTLS (or to TLS from the start, port 465).",
        )
    if not offered:
        return SmtpTrouble("no_login", "The server takes no logins on this port. Use port 587 or 465.")
    if token:
        return SmtpTrouble(
            "sign_in_not_offered", "The server takes no sign-in, only passwords: choose “Password” instead."
        )
    if {"xoauth2", "oauthbearer"} & set(offered):
        return SmtpTrouble("sign_in_wanted", "This provider takes no passwords any more: sign in instead.")
    return SmtpTrouble(
        "no_login", f"The server offers no login that we could use, only {', '.join(offered)[:100].upper()}."
    )


def of_account(code: int, text: str) -> SmtpTrouble | None:
    """A refusal in the midst of sending that is about the whole account, whatever the mail; None: it is not."""
    status, words = status_of(text), f"It said: {said(code, text)}"
    if code < 500:
        return None
    if status in ("5.7.60", "5.2.252") or "sendasdenied" in text.lower():
        return SmtpTrouble("sender_refused", f"{SEND_AS} {words}")
    if _DISABLED.search(text):
        return SmtpTrouble("smtp_auth_disabled", f"{TURN_ON} {words}")
    if status == "5.7.30":
        return SmtpTrouble("sign_in_wanted", f"This provider wants you to sign in instead of a password. {words}")
    return None


def _by_words(code: int, text: str, words: str, *, token: bool, private: bool) -> SmtpTrouble | None:
    """Answers that say themselves what is wrong."""
    status = status_of(text)
    if code == 538 or (code == 530 and _TLS.search(text)) or (code == 503 and not private):
        return SmtpTrouble(
            "tls_needed", f"The server takes logins only over TLS: change Encryption to STARTTLS. {words}"
        )
    if code == 503:
        return SmtpTrouble("no_login", f"The server takes no logins on this port. Use port 587 or 465. {words}")
    wants = code in (530, 534) or status in ("5.7.139", "5.7.30", "5.7.9")
    if code >= 500 and wants and token:
        return SmtpTrouble(
            "token_refused", f"The provider does not let this account sign in for sending: an administrator must allow "
            f"it. {words}",
        )  # fmt: skip
    if code >= 500 and not token and (wants or _NO_PASSWORDS.search(text)):
        return SmtpTrouble("sign_in_wanted", f"This provider wants you to sign in instead of a password. {words}")
    return None


def _by_challenge(told: Mapping[str, str], words: str) -> SmtpTrouble | None:
    status = told.get("status", "").strip().lower()
    if status.startswith("5") or status in ("internal_failure", "temporarily_unavailable", "server_error"):
        return SmtpTrouble(
            "login_unavailable", f"The server cannot check sign-ins now ({status[:40]}). {words}", temporary=True
        )
    if status in ("400", "401", "403", "invalid_token", "insufficient_scope", "invalid_request"):
        return SmtpTrouble("token_refused", f"The server does not take the sign-in ({status}). {words}")
    return None


def _waiting(code: int, text: str, words: str) -> str:
    if code == 454:
        return (
            f"The server does not check logins now. Some do that for a few minutes after several wrong passwords; "
            f"then this says nothing about the present one. {words}"
        )
    return f"The server cannot check logins now. {words}"
