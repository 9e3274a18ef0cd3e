"""What must be known of providers before signing in, for the catalogues: the words themselves stand with the presets."""

from __future__ import annotations

from mailroom_console.languages import mark

NOTES = (
    mark("An app password is needed; the ordinary password is refused."),
    mark("An SMTP token is needed (paid plans)."),
    mark("It takes a sign-in only, no passwords."),
    mark("POP3 and IMAP access must be switched on in GMX's settings."),
    mark("POP3 and IMAP access must be switched on in WEB.DE's settings."),
    mark("Sign in with Google, or make an app password."),
    mark("Sign in with Microsoft: it takes no passwords."),
    mark("Sign in with Microsoft: passwords are being switched off. Authenticated SMTP must be on for the mailbox."),
    mark("The password for email programs is needed."),
    mark("The user name is the word apikey."),
    mark("User name and password are the server's token."),
)
