"""Well-known mail providers: host, port and TLS mode of their submission servers, so that nobody has to look them up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """A provider's submission server. `note` says what a person must know before signing in."""

    name: str
    host: str
    port: int
    tls: str
    domains: tuple[str, ...] = ()
    note: str = ""


_APP_PASSWORD = "An app password is needed; the ordinary password is refused."  # noqa: S105 - words for people

PRESETS: tuple[Preset, ...] = (
    Preset("Gmail", "smtp.gmail.com", 465, "implicit", ("gmail.com", "googlemail.com"), _APP_PASSWORD),
    Preset("Microsoft 365", "smtp.office365.com", 587, "starttls", (),
           "SMTP AUTH must be switched on for the mailbox, or sign in with OAuth."),
    Preset("Outlook.com", "smtp-mail.outlook.com", 587, "starttls",
           ("outlook.com", "hotmail.com", "live.com", "msn.com"), "Only OAuth is accepted, no passwords."),
    Preset("Yahoo", "smtp.mail.yahoo.com", 465, "implicit", ("yahoo.com", "ymail.com"), _APP_PASSWORD),
    Preset("AOL", "smtp.aol.com", 465, "implicit", ("aol.com",), _APP_PASSWORD),
    Preset("iCloud", "smtp.mail.me.com", 587, "starttls", ("icloud.com", "me.com", "mac.com"), _APP_PASSWORD),
    Preset("Zoho", "smtp.zoho.com", 465, "implicit", ("zoho.com", "zohomail.com")),
    Preset("Zoho (EU)", "smtp.zoho.eu", 465, "implicit", ("zoho.eu", "zohomail.eu")),
    Preset("Fastmail", "smtp.fastmail.com", 465, "implicit", ("fastmail.com", "fastmail.fm"), _APP_PASSWORD),
    Preset("Proton Mail", "smtp.protonmail.ch", 587, "starttls", (), "An SMTP token is needed (paid plans)."),
    Preset("GMX", "mail.gmx.net", 465, "implicit", ("gmx.de", "gmx.net", "gmx.at", "gmx.ch"),
           "POP3 and IMAP access must be switched on in GMX's settings."),
    Preset("WEB.DE", "smtp.web.de", 465, "implicit", ("web.de",),
           "POP3 and IMAP access must be switched on in WEB.DE's settings."),
    Preset("T-Online", "securesmtp.t-online.de", 465, "implicit", ("t-online.de", "magenta.de"),
           "The password for email programs is needed."),
    Preset("IONOS", "smtp.ionos.de", 465, "implicit"),
    Preset("STRATO", "smtp.strato.de", 465, "implicit"),
    Preset("mailbox.org", "smtp.mailbox.org", 465, "implicit", ("mailbox.org",)),
    Preset("Posteo", "posteo.de", 465, "implicit", ("posteo.de", "posteo.net")),
    Preset("OVH", "ssl0.ovh.net", 465, "implicit"),
    Preset("Gandi", "mail.gandi.net", 465, "implicit"),
    Preset("Yandex", "smtp.yandex.com", 465, "implicit", ("yandex.com", "yandex.ru", "ya.ru"), _APP_PASSWORD),
    Preset("SendGrid", "smtp.sendgrid.net", 587, "starttls", (), "The user name is the word apikey."),
    Preset("Mailgun", "smtp.mailgun.org", 587, "starttls"),
    Preset("Mailgun (EU)", "smtp.eu.mailgun.org", 587, "starttls"),
    Preset("Postmark", "smtp.postmarkapp.com", 587, "starttls", (), "User name and password are the server's token."),
    Preset("Brevo", "smtp-relay.brevo.com", 587, "starttls"),
    Preset("Mailjet", "in-v3.mailjet.com", 587, "starttls"),
)  # fmt: skip


def preset_for(email: str) -> Preset | None:
    """The provider of an address, known by its domain, or None."""
    domain = email.rpartition("@")[2].lower()
    return next((preset for preset in PRESETS if domain in preset.domains), None)


def tls_for_port(port: int) -> str:
    """The TLS mode that a port stands for (RFC 8314): 465 implicit, all others STARTTLS."""
    return "implicit" if port == 465 else "starttls"
