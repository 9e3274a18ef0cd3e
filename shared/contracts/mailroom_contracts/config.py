"""Configuration topics: portals, addresses, queues, agents. The console publishes them, all other services read them."""

from __future__ import annotations

from .base import LATER_LIST, Message, Model, Time, known, says
from .common import BlobRef


class _Config(Message):
    id: str = says("Id.", "p1")
    revision: int = says("Counts changes; a writer names the one it saw.", 3, default=1)
    updated_at: Time | None = says("When it was changed last.", "2026-11-24T09:00:00Z", default=None)

    @property
    def record_key(self) -> str:
        return self.id

    @property
    def ce_id(self) -> str:
        return f"{self.id}:{self.revision}"

    @property
    def ce_time(self) -> Time | None:
        return self.updated_at


class DkimKey(Model):
    """The key that the platform's relay signs a domain's mail with."""

    domain: str = says("Domain (d=).", "acme.example")
    selector: str = says("Selector (s=).", "mailroom1")
    secret: str = says("Sealed PEM private key.", "sealed:k1:...")


class OpenHours(Model):
    """A span of one weekday."""

    day: int = says("Weekday: 1 is Monday, 7 is Sunday (ISO 8601).", 1)
    begin: str = says("Begin, HH:MM.", "09:00")
    end: str = says("End, HH:MM; 24:00 for midnight.", "17:30")


class OfficeHours(Model):
    """When somebody is there."""

    zone: str = says("Time zone (IANA).", "Europe/Berlin", default="UTC")
    week: list[OpenHours] = says("Spans of the week.", [{"day": 1, "begin": "09:00", "end": "17:30"}],
                                 default_factory=list)  # fmt: skip
    holidays: list[str] = says("Days when nobody is there, YYYY-MM-DD.", ["2026-12-25"], default_factory=list)


class Portal(_Config):
    """One customer company."""

    name: str = says("Name of the company.", "Acme")
    domains: list[str] = says("Mail domains that we host for it, lower case.", ["acme.example"], default_factory=list)
    active: bool = says("Whether it takes part.", True, default=True)
    dkim: list[DkimKey] = says("DKIM keys of its domains.", [], default_factory=list)
    follow_up_after_days: int = says("A mail on a ticket closed longer than this opens a follow-up.", 14, default=14)
    known_days: int = says("Days for which the index finds a closed ticket by what a mail names; after that by our own "
                           "signed ids only.", 400, default=400)  # fmt: skip
    undo_send_s: int = says("Seconds that agents' mail is held, so that it can be taken back; 0 to 60.", 10, default=10)
    blocked: list[str] = says("Senders and domains whose mail is spam, lower case.", ["junk@spam.example"],
                              **LATER_LIST)  # fmt: skip
    office_hours: OfficeHours | None = says("When somebody is there; None: always.", None, default=None)

    @property
    def ce_type(self) -> str:
        return "portal.changed"


class AutoReply(Model):
    """The automatic reply of an address."""

    enabled: bool = says("Whether it is sent.", True, default=False)
    subject: str = says("Template: {{ticket.number}}, {{customer.name}}, {{subject}}, {{queue.name}}.",
                        "We got it: {{subject}} [{{ticket.number}}]", default="")  # fmt: skip
    content: str = says("Template of the text.", "Dear {{customer.name}}, ...", default="")
    outside_content: str = says("Template of the text outside of the portal's office hours; empty: the same.", "",
                                default="")  # fmt: skip


class SmtpAccount(Model):
    """The customer's own sending server."""

    host: str = says("Host name.", "smtp.customer.example")
    port: int = says("Port.", 587)
    tls: str = says("implicit, starttls or none.", "starttls", json_schema_extra=known("implicit", "starttls", "none"))
    username: str = says("Login name.", "sales@customer.example")
    auth: str = says("password, or oauth: a sign-in at `provider`. (xoauth2, never written, meant a token as secret.)",
                     "password", default="password")  # fmt: skip
    provider: str | None = says("Where the account signed in (auth oauth): microsoft, google, or a provider of one's own.",
                                "microsoft", default=None)  # fmt: skip
    signed_in_as: str | None = says("The account that signed in (auth oauth), as its provider calls it.",
                                    "ana@customer.example", default=None)  # fmt: skip
    secret: str | None = says("Sealed password, or sealed tokens (auth oauth): renewed ones come on `address.tokens`.",
                              "sealed:k1:...", default=None)  # fmt: skip
    secret_revision: int = says("Counts changes of the secret; parked mail is tried again when it grows.", 1, default=1)
    checked_at: Time | None = says("When a login with this secret worked, as the console saw it.",
                                   "2026-11-24T09:00:00Z", default=None)  # fmt: skip
    max_connections: int = says("Connections at once.", 2, default=2)
    messages_per_minute: int | None = says("Limit of the provider, when there is one.", None, default=None)


class GmailAccount(Model):
    """A connected Gmail inbox."""

    secret: str | None = says("The sealed refresh token: JSON with refresh_token and nothing else.", "sealed:k1:...",
                              default=None)  # fmt: skip
    secret_revision: int = says("Counts reconnections.", 1, default=1)
    scopes: list[str] = says("Scopes that were granted.", [], default_factory=list)
    label_ids: list[str] = says("Labels that are read.", ["INBOX"], default_factory=lambda: ["INBOX"])
    import_since: Time | None = says("Read mail as old as this at first; None: from connecting on.", None, default=None)
    connected_at: Time | None = says("When it was connected.", "2026-11-24T09:00:00Z", default=None)
    begun_at: Time | None = says("When this address was made; what was read of the account before does not count.", None,
                                 default=None)  # fmt: skip
    start_history_id: str | None = says("History id at connecting.", "1001", default=None)
    pubsub_subscription: str | None = says("Pub/Sub pull subscription for push, where configured.", None, default=None)


class Forwarder(Model):
    """Who hands mail on to an address: learned by Check forwarding, or named by an administrator."""

    kind: str = says("spf_domain, arc, dkim, network, or list: a mailing list that may vouch for its members.",
                     "spf_domain")  # fmt: skip
    value: str = says("Domain, signer, network (CIDR) or the list's address.", "customer.example")
    seen_at: Time | None = says("When it was seen.", "2026-11-24T09:05:00Z", default=None)


class Address(_Config):
    """One email address: internal, gmail or smtp."""

    portal_id: str = says("Portal.", "p1")
    kind: str = says("internal, gmail or smtp.", "internal", json_schema_extra=known("internal", "gmail", "smtp"))
    email: str = says("The address, lower case.", "support@acme.example")
    full_name: str = says("Display name of mail that leaves from it.", "Acme Support", default="")
    queue_id: str | None = says("Queue; None only while a Gmail address is not configured yet.", "q1", default=None)
    prefer_online: bool = says("Tickets go at once to an online agent.", True, default=False)
    active: bool = says("Inactive addresses neither receive nor send.", True, default=True)
    auto_reply: AutoReply = says("Automatic reply.", {"enabled": False}, default_factory=AutoReply)
    smtp: SmtpAccount | None = says("Sending account (kind smtp).", None, default=None)
    gmail: GmailAccount | None = says("Gmail account (kind gmail).", None, default=None)
    forwards_to: str | None = says("Internal address (its id) that it forwards to (kind smtp).", None, default=None)
    forwarders: list[Forwarder] = says("Who forwards its mail, as learned or named.", [], default_factory=list)
    signature: str = says("Stands below agents' mail; {{agent.name}} is who writes.", "{{agent.name}}, Acme",
                          default="")  # fmt: skip
    number_in_subject: bool = says("Put the ticket's number into the subject of answers.", False, default=False)
    plus_replies: bool = says("Its server takes plus addresses (a check saw it): answers carry one as Reply-To.", False,
                              default=False)  # fmt: skip

    @property
    def ce_type(self) -> str:
        return "address.changed"


class Queue(_Config):
    """A queue of tickets."""

    portal_id: str = says("Portal.", "p1")
    name: str = says("Name.", "Support")
    agent_ids: list[str] = says("Agents who work in it.", ["a1"], default_factory=list)

    @property
    def ce_type(self) -> str:
        return "queue.changed"


class Agent(_Config):
    """A person who answers mail. Presence is not here but in Redis."""

    portal_id: str = says("Portal.", "p1")
    email: str = says("Sign-in and address.", "ana@acme.example")
    name: str = says("Name.", "Ana", default="")
    role: str = says("administrator or agent.", "agent", default="agent")
    queue_ids: list[str] = says("Queues.", ["q1"], default_factory=list)
    active: bool = says("May sign in and be assigned.", True, default=True)

    @property
    def ce_type(self) -> str:
        return "agent.changed"


class AddressStatus(Message):
    """How one aspect of an address stands. Key: address id and aspect, since each aspect has one writer."""

    address_id: str = says("Address.", "ad1")
    portal_id: str = says("Portal.", "p1")
    aspect: str = says("sending, receiving or forwarding.", "sending",
                       json_schema_extra=known("sending", "receiving", "forwarding"))  # fmt: skip
    state: str = says(
        "ok, needs_attention, syncing, pending, confirmed, failed, disconnected.", "needs_attention",
        json_schema_extra=known("ok", "needs_attention", "syncing", "pending", "confirmed", "failed", "disconnected"),
    )  # fmt: skip
    reason: str | None = says("In words for people.", "The server refused the login: 535 wrong password", default=None)
    since: Time = says("Since when.", "2026-11-24T09:05:00Z")
    done: int | None = says("Progress of long work: done.", 120, default=None)
    total: int | None = says("Progress of long work: of how many.", 4000, default=None)
    check_id: str | None = says("The forwarding check this is about.", None, default=None)
    forwarders: list[Forwarder] = says("Forwarders seen by this check.", [], default_factory=list)

    @property
    def record_key(self) -> str:
        return f"{self.address_id}:{self.aspect}"

    @property
    def ce_subject(self) -> str:
        return self.address_id

    @property
    def ce_type(self) -> str:
        return "address.status_changed"

    @property
    def ce_id(self) -> str:
        return f"{self.address_id}:{self.aspect}:{self.state}:{self.since.isoformat()}:{self.done}"

    @property
    def ce_time(self) -> Time:
        return self.since


class AddressTokens(Message):
    """The renewed tokens of an address that signs in at its provider (smtp.auth oauth); sealed like its first ones."""

    address_id: str = says("Address.", "ad3")
    portal_id: str = says("Portal.", "p1")
    secret_revision: int = says("The sign-in (smtp.secret_revision) that they come from; of an older one they are void.", 1,
                                default=1)  # fmt: skip
    secret: str = says("Sealed: JSON with the refresh token, the access token, and when that ends.", "sealed:k1:...")
    renewed_at: Time = says("When they were renewed.", "2026-11-24T09:05:00Z")

    @property
    def record_key(self) -> str:
        return self.address_id

    @property
    def ce_type(self) -> str:
        return "address.tokens_renewed"

    @property
    def ce_id(self) -> str:
        return f"{self.address_id}:{self.secret_revision}:{self.renewed_at.isoformat()}"

    @property
    def ce_time(self) -> Time:
        return self.renewed_at


class GmailCursor(Message):
    """How far a Gmail inbox has been read; moves only after Kafka acknowledged."""

    address_id: str = says("Address.", "ad2")
    portal_id: str = says("Portal.", "p1")
    history_id: str | None = says("History id up to which everything is published.", "123456", default=None)
    epoch: int = says("The connection (secret_revision) it belongs to.", 1, default=1)
    page_token: str | None = says("Where a full listing goes on.", None, default=None)
    listing_query: str | None = says("Query of the full listing under way.", None, default=None)
    listing_target: str | None = says("History id to continue from once the listing is done.", None, default=None)
    done: int = says("Messages published by this listing.", 0, default=0)
    updated_at: Time = says("When it moved.", "2026-11-24T09:05:00Z")
    begun_at: Time | None = says("The address's own (`gmail.begun_at`): of another one's cursor nothing counts.", None,
                                 default=None)  # fmt: skip
    state: BlobRef | None = says("Further state, when it is large.", None, default=None)

    @property
    def record_key(self) -> str:
        return self.address_id

    @property
    def ce_type(self) -> str:
        return "gmail.cursor_moved"

    @property
    def ce_id(self) -> str:
        return f"{self.address_id}:{self.epoch}:{self.history_id}:{self.page_token}"

    @property
    def ce_time(self) -> Time:
        return self.updated_at
