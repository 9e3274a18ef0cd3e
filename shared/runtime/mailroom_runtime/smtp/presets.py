"""Well-known mail providers: host, port and TLS mode of their submission servers, so that nobody has to look them up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """A provider's submission server. `note` says what a person must know before signing in; `mx`: the ends of its mail
    servers' names, by which a company's own domain is known; `passwords`: whether it takes any today (docs/addresses.md)."""

    name: str
    host: str
    port: int
    tls: str
    domains: tuple[str, ...] = ()
    note: str = ""
    mx: tuple[str, ...] = ()
    passwords: bool = True


_APP_PASSWORD = "An app password is needed; the ordinary password is refused."  # noqa: S105 - words for people

PRESETS: tuple[Preset, ...] = (
    Preset("Gmail", "smtp.gmail.com", 465, "implicit", ("gmail.com", "googlemail.com"), "Sign in with Google, or make an app password.",
           mx=(".google.com", ".googlemail.com")),
    Preset("Microsoft 365", "smtp.office365.com", 587, "starttls", (),
           "Sign in with Microsoft: passwords are being switched off. Authenticated SMTP must be on for the mailbox.",
           mx=(".mail.protection.outlook.com", ".mx.microsoft")),
    Preset("Outlook.com", "smtp-mail.outlook.com", 587, "starttls",
           ("outlook.com", "hotmail.com", "live.com", "msn.com"), "Sign in with Microsoft: it takes no passwords.", passwords=False),
    Preset("Yahoo", "smtp.mail.yahoo.com", 465, "implicit", ("yahoo.com", "ymail.com"), _APP_PASSWORD, mx=(".yahoodns.net",)),
    Preset("AOL", "smtp.aol.com", 465, "implicit", ("aol.com",), _APP_PASSWORD),
    Preset("iCloud", "smtp.mail.me.com", 587, "starttls", ("icloud.com", "me.com", "mac.com"), _APP_PASSWORD,
           mx=(".mail.icloud.com",)),
    Preset("Zoho", "smtp.zoho.com", 465, "implicit", ("zoho.com", "zohomail.com"), mx=(".zoho.com",)),
    Preset("Zoho (EU)", "smtp.zoho.eu", 465, "implicit", ("zoho.eu", "zohomail.eu"), mx=(".zoho.eu",)),
    Preset("Fastmail", "smtp.fastmail.com", 465, "implicit", ("fastmail.com", "fastmail.fm"), _APP_PASSWORD,
           mx=(".messagingengine.com",)),
    Preset("Proton Mail", "smtp.protonmail.ch", 587, "starttls", (), "An SMTP token is needed (paid plans).",
           mx=(".protonmail.ch",)),
    Preset("GMX", "mail.gmx.net", 465, "implicit", ("gmx.de", "gmx.net", "gmx.at", "gmx.ch"),
           "POP3 and IMAP access must be switched on in GMX's settings."),
    Preset("WEB.DE", "smtp.web.de", 465, "implicit", ("web.de",),
           "POP3 and IMAP access must be switched on in WEB.DE's settings."),
    Preset("T-Online", "securesmtp.t-online.de", 465, "implicit", ("t-online.de", "magenta.de"),
           "The password for email programs is needed."),
    Preset("IONOS", "smtp.ionos.de", 465, "implicit", mx=(".ionos.de", ".kundenserver.de")),
    Preset("STRATO", "smtp.strato.de", 465, "implicit", mx=(".rzone.de",)),
    Preset("mailbox.org", "smtp.mailbox.org", 465, "implicit", ("mailbox.org",), mx=(".mailbox.org",)),
    Preset("Posteo", "posteo.de", 465, "implicit", ("posteo.de", "posteo.net"), mx=(".posteo.de",)),
    Preset("OVH", "ssl0.ovh.net", 465, "implicit", mx=(".mail.ovh.net",)),
    Preset("Gandi", "mail.gandi.net", 465, "implicit", mx=(".mail.gandi.net",)),
    Preset("Yandex", "smtp.yandex.com", 465, "implicit", ("yandex.com", "yandex.ru", "ya.ru"), _APP_PASSWORD,
           mx=(".yandex.net", ".yandex.ru")),
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


def by_mx(host: str) -> Preset | None:
    """The provider whose mail servers have such names, or None. A company's own domain is known by it."""
    name = "." + host.strip().rstrip(".").lower()
    return next((preset for preset in PRESETS if name.endswith(tuple(preset.mx))), None)


def tls_for_port(port: int) -> str:
    """The TLS mode that a port stands for (RFC 8314): 465 implicit, all others STARTTLS."""
    return "implicit" if port == 465 else "starttls"
