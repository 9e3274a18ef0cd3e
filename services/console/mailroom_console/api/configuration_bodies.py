"""What is sent about portals, addresses, queues, agents, canned answers and blocked senders."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from .bodies import Body, Id, Ids, Line, Name, Revision, Subject, Template

Domains = Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=200)]
Labels = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=100)]


class PortalIn(Body):
    name: Line
    domains: Domains = Field([])


class PortalChange(Body):
    name: Line | None = None
    domains: Domains | None = None
    follow_up_after_days: int | None = Field(None, ge=0, le=3650)
    known_days: int | None = Field(
        None, ge=0, le=3650, description="Days for which a closed ticket is found by what a mail names."
    )
    tickets_kept_days: int | None = Field(
        None, ge=1, le=3650, description="Days after which a closed ticket is erased, with its mails; null: never."
    )
    attachments_kept_days: int | None = Field(
        None, ge=1, le=3650,
        description="Days after which a closed ticket's attachments and raw sources are removed; null: with the ticket.",
    )  # fmt: skip
    undo_send_s: int | None = Field(
        None, ge=0, le=3600, description="Seconds that agents' mail is held, so that it can be taken back."
    )
    office_hours: Annotated[dict[str, Any], Field(max_length=10)] | None = Field(
        None, description="zone, week [{day, begin, end}], holidays; null: always."
    )
    revision: Revision | None = None


class AutoReplyIn(Body):
    enabled: bool | None = None
    subject: Subject | None = Field(
        None, description="{{ticket.number}}, {{customer.name}}, {{subject}}, {{queue.name}}"
    )
    content: Template | None = None
    outside_content: Template | None = Field(None, description="Instead of `content` outside of office hours.")


class SmtpIn(Body):
    host: Line | None = None
    port: int | None = Field(None, ge=1, le=65535)
    tls: Literal["implicit", "starttls", "none"] | None = Field(None, description="Worked out from the port.")
    username: Line | None = Field(None, description="The address itself when left out.")
    auth: Literal["password", "oauth", "xoauth2"] | None = Field(
        None, description="oauth: signed in at a provider, see POST /addresses/smtp/connect."
    )
    max_connections: int | None = Field(None, ge=1, le=20)
    messages_per_minute: int | None = Field(None, ge=1, le=100_000)


class GmailIn(Body):
    label_ids: Labels | None = None
    import_since: AwareDatetime | None = None


class ForwarderIn(Body):
    kind: Literal["list", "spf_domain", "arc", "dkim", "network"]
    value: Line = Field(description="The list's address, a domain, or a network (CIDR).")


Forwarders = Annotated[list[ForwarderIn], Field(max_length=60)]


class AddressIn(Body):
    kind: Literal["internal", "gmail", "smtp"]
    local_part: Line | None = Field(None, description="Internal: the part before the @.")
    domain: Line | None = Field(None, description="Internal: one of the portal's domains; the first when left out.")
    email: Line | None = Field(None, description="SMTP: the whole address.")
    full_name: Line | None = None
    queue_id: Id | None = None
    prefer_online: bool | None = None
    active: bool | None = True
    auto_reply: AutoReplyIn | None = None
    smtp: SmtpIn | None = None
    password: Line | None = Field(None, description="Write-only.")
    forwards_to: Id | None = Field(None, description="SMTP: id of the internal address that it forwards to.")
    forwarders: Forwarders | None = Field(None, description="Mailing lists and servers that hand mail on to it.")
    signature: Template | None = Field(None, description="Below agents' mail; {{agent.name}} is who writes.")
    number_in_subject: bool | None = Field(None, description="The ticket's number in the subject of answers.")


class AddressChange(Body):
    full_name: Line | None = None
    signature: Template | None = Field(None, description="Below agents' mail; {{agent.name}} is who writes.")
    number_in_subject: bool | None = Field(None, description="The ticket's number in the subject of answers.")
    plus_replies: Literal[False] | None = Field(
        None,
        description="false: no plus address as Reply-To of answers. The "
        "check of the forwarding switches it on, where the server takes them.",
    )
    queue_id: Id | None = None
    prefer_online: bool | None = None
    active: bool | None = None
    auto_reply: AutoReplyIn | None = None
    smtp: SmtpIn | None = None
    gmail: GmailIn | None = None
    password: Line | None = Field(None, description="Write-only.")
    forwards_to: Id | None = None
    forwarders: Forwarders | None = Field(None, description="All of them; what was learned is left out to forget it.")
    revision: Revision | None = Field(
        None, description="The revision that was seen; 409 when it is not the present one."
    )
    kind: Line | None = None
    email: Line | None = None
    local_part: Line | None = None


class AccountCheck(Body):
    email: Line
    smtp: SmtpIn
    password: Line


class ConnectIn(Body):
    address_id: Id | None = Field(None, description="Reconnect this address.")
    import_days: int | None = Field(None, ge=0, le=3650, description="Read mail as old as this at first.")


class SmtpConnectIn(Body):
    provider: Line = Field(description="microsoft, google, or an id of MAILROOM_OAUTH_PROVIDERS.")
    email: Line = Field(description="The address that sends; who signs in may be somebody who may send as it.")
    address_id: Id | None = Field(None, description="Sign in anew for this address.")
    full_name: Line | None = None
    queue_id: Id | None = Field(None, description="The portal's first queue when left out.")
    prefer_online: bool | None = None
    active: bool | None = None
    auto_reply: AutoReplyIn | None = None
    smtp: SmtpIn | None = None
    forwards_to: Id | None = None


class PreviewIn(Body):
    subject: Subject = ""
    content: Template = ""
    queue_name: Line = "Support"


class TestMailIn(Body):
    to: Line
    subject: Subject | None = None
    content: Template | None = None


class QueueIn(Body):
    name: Line
    agent_ids: Ids = Field([])


class QueueChange(Body):
    name: Line | None = None
    agent_ids: Ids | None = None
    revision: Revision | None = None


class AgentIn(Body):
    email: Line
    name: Line = ""
    role: Literal["administrator", "agent"] = "agent"
    queue_ids: Ids = Field([])
    password: Line | None = Field(None, description="Write-only; without it the answer holds an `invite_url`.")


class AgentChange(Body):
    name: Line | None = None
    role: Literal["administrator", "agent"] | None = None
    queue_ids: Ids | None = None
    active: bool | None = None
    revision: Revision | None = None


class PresenceIn(Body):
    presence: Line
    ttl_s: float | None = Field(None, description="Seconds; until changed when left out.")


class CannedIn(Body):
    name: Annotated[str, Field(max_length=80)]
    text: Annotated[str, Field(max_length=20_000)]
    queue_id: Name | None = Field(None, description="null: for all queues.")


class BlockIn(Body):
    email: Annotated[str, Field(max_length=320)] | None = None
    domain: Annotated[str, Field(max_length=253)] | None = None
