"""Every reply of the server, with its enhanced status code (RFC 5321, RFC 3463, RFC 2034)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply line. `reason` is the label of the refusal in metrics and logs; empty where nothing was refused.

    `receipt_id` is set where a mail was accepted.
    """

    text: str
    reason: str = ""
    receipt_id: str = ""

    @property
    def refused(self) -> bool:
        return self.text[0] in "45"


OK = Reply("250 2.0.0 OK")
SENDER_OK = Reply("250 2.1.0 OK")
RECIPIENT_OK = Reply("250 2.1.5 OK")
GO_AHEAD = Reply("354 End data with <CR><LF>.<CR><LF>")
READY_FOR_TLS = Reply("220 2.0.0 Ready to start TLS")
BYE = Reply("221 2.0.0 Bye")
HELP = Reply("214 2.0.0 RFC 5321; HELO EHLO MAIL RCPT DATA RSET NOOP QUIT STARTTLS")

NO_RELAY = Reply("550 5.7.1 Relaying denied: this domain is not hosted here", "relay")
UNKNOWN = Reply("550 5.1.1 No such address here", "unknown_recipient")
UNKNOWN_INACTIVE = Reply("550 5.1.1 This address does not receive mail", "inactive_recipient")
LATER_RECIPIENT = Reply("451 4.3.0 The list of addresses is not up to date here, try again later", "not_ready")
LATER = Reply("451 4.3.0 The mail could not be stored, try again later", "storage")
TOO_MANY_RECIPIENTS = Reply("452 4.5.3 Too many recipients, send the rest in another mail", "too_many_recipients")
TOO_BIG = Reply("552 5.3.4 The mail is larger than is accepted here", "too_big")
OUT_OF_MEMORY = Reply("452 4.3.1 Too much mail at once, try again later", "memory")
BARE_AROUND_DOT = Reply("550 5.5.2 A lone CR or LF around a dot is refused (RFC 5321 section 2.3.8)", "bare_newline")
BARE = Reply("550 5.6.0 A lone CR or LF is refused (RFC 5321 section 2.3.8)", "bare_newline")

BARE_IN_COMMAND = Reply("500 5.5.2 Commands end with CR LF and hold no other control characters", "syntax")
LINE_TOO_LONG = Reply("500 5.5.2 The command line is too long", "syntax")
BAD_SYNTAX = Reply("500 5.5.2 This is not a command", "syntax")
UNRECOGNIZED = Reply("500 5.5.1 Command not recognized", "syntax")
NO_ARGUMENT_EXPECTED = Reply("501 5.5.4 This command takes no argument", "syntax")
NEEDS_NAME = Reply("501 5.5.4 Say your name: EHLO name", "syntax")
HELO_FIRST = Reply("503 5.5.1 Say EHLO first", "sequence")
MAIL_FIRST = Reply("503 5.5.1 MAIL comes first", "sequence")
RCPT_FIRST = Reply("503 5.5.1 No recipient was accepted", "sequence")
NESTED_MAIL = Reply("503 5.5.1 A mail is under way already", "sequence")
MAIL_SYNTAX = Reply("501 5.5.4 Syntax: MAIL FROM:<address>", "syntax")
RCPT_SYNTAX = Reply("501 5.5.4 Syntax: RCPT TO:<address>", "syntax")
BAD_SENDER = Reply("501 5.1.7 The sender's address is not well formed", "syntax")
BAD_RECIPIENT = Reply("501 5.1.3 The recipient's address is not well formed", "syntax")
UNKNOWN_PARAMETER = Reply("555 5.5.4 Parameter not recognized", "syntax")
BAD_PARAMETER = Reply("501 5.5.4 A parameter is not well formed", "syntax")
NO_VERIFY = Reply("252 2.5.0 Addresses are not verified here, send the mail", "")
NO_EXPAND = Reply("502 5.5.1 Lists are not shown here", "syntax")
NO_AUTH = Reply("502 5.5.1 There is nothing to sign in for: mail is only received here", "auth")
NO_TLS = Reply("502 5.5.1 TLS is not offered here", "syntax")
TLS_ALREADY = Reply("503 5.5.1 TLS is active already", "sequence")

TOO_MANY_ERRORS = Reply("421 4.7.0 Too many errors, goodbye", "too_many_errors")
TOO_MANY_COMMANDS = Reply("421 4.7.0 Too many commands without a mail, goodbye", "too_many_commands")
TOO_MANY_CONNECTIONS = Reply("421 4.7.0 Too many connections, try again later", "too_many_connections")
TOO_MANY_OF_CLIENT = Reply("421 4.7.0 Too many connections from your address", "too_many_connections_of_client")
IDLE = Reply("421 4.4.2 Nothing came for too long, goodbye", "idle")
TOO_SLOW = Reply("421 4.4.2 The mail took too long, goodbye", "too_slow")
STOPPING = Reply("421 4.3.2 The service is stopping, try again later", "stopping")
BROKEN = Reply("451 4.3.0 Something went wrong here, try again later", "internal")


def accepted(receipt_id: str) -> Reply:
    """The mail is stored and published; its receipt is the queue id that senders log."""
    return Reply(f"250 2.6.0 Accepted as {receipt_id}", receipt_id=receipt_id)


def summary(answers: list[Reply]) -> Reply:
    """The one reply that SMTP has for all recipients: the worst of them, or every receipt (one per portal)."""
    worst = max(answers, key=lambda answer: answer.text[0])
    if worst.refused:
        return worst
    return accepted(" ".join(dict.fromkeys(answer.receipt_id for answer in answers)))
