"""What requests carry. Fields that are not known are skipped, so that newer clients can talk to older consoles."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field, model_validator

from mailroom_console.tickets.writing import Letter

# Halves of a character, which JSON can carry escaped (RFC 8259 section 8.2) and UTF-8 cannot, and NUL, which PostgreSQL
# does not keep: no database takes both.
_NO_TEXT = re.compile("[\\0\ud800-\udfff]")


class Body(BaseModel):
    """A request body; `given()` holds only what was sent."""

    @model_validator(mode="before")
    @classmethod
    def _is_text(cls, given: Any) -> Any:
        waiting = [given]
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                waiting += [*value, *value.values()]
            elif isinstance(value, list):
                waiting += value
            elif isinstance(value, str) and _NO_TEXT.search(value):
                raise ValueError("a text holds NUL or half a character (a lone surrogate)")
        return given

    def given(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


# Every string and every list has a limit, and the API's document says so: what passes here goes into one record of Kafka.
Id = Annotated[str, Field(max_length=64)]
Line = Annotated[str, Field(max_length=1000)]
Subject = Annotated[str, Field(max_length=1000)]
Name = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=200_000)]
Template = Annotated[str, Field(max_length=20_000)]
Base64 = Annotated[str, Field(max_length=40_000_000)]  # `MAILROOM_UPLOAD_LIMIT_BYTES` may ask for less
Revision = Annotated[int, Field(ge=0, lt=2**31)]
Ids = Annotated[list[Id], Field(max_length=2000)]
Lines = Annotated[list[Line], Field(max_length=200)]
Domains = Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=200)]
Labels = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=100)]
Scopes = Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=20)]


class PortalIn(Body):
    name: Line
    domains: Domains = []


class PortalChange(Body):
    name: Line | None = None
    domains: Domains | None = None
    follow_up_after_days: int | None = Field(None, ge=0, le=3650)
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


class AddressChange(Body):
    full_name: Line | None = None
    signature: Template | None = Field(None, description="Below agents' mail; {{agent.name}} is who writes.")
    number_in_subject: bool | None = Field(None, description="The ticket's number in the subject of answers.")
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
    agent_ids: Ids = []


class QueueChange(Body):
    name: Line | None = None
    agent_ids: Ids | None = None
    revision: Revision | None = None


class AgentIn(Body):
    email: Line
    name: Line = ""
    role: Literal["administrator", "agent"] = "agent"
    queue_ids: Ids = []
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


class AttachmentIn(Body):
    id: Id | None = Field(None, description="Id from POST /attachments.")
    filename: Line | None = None
    content_type: Line | None = None
    content_base64: Base64 | None = None


Attachments = Annotated[list[AttachmentIn], Field(max_length=100)]


Mailbox = Line | Annotated[dict[str, Any], Field(max_length=10)]
Mailboxes = Annotated[list[Mailbox], Field(max_length=200)]


class LetterIn(Body):
    text: Text = ""
    html: Text | None = None
    to: Mailboxes = []
    cc: Mailboxes = []
    bcc: Mailboxes = []
    attachments: Attachments = []
    from_address_id: Name | None = None
    send_at: AwareDatetime | None = Field(None, description="Held until then; until that it can be cancelled.")

    def letter(self, subject: str = "") -> Letter:
        return Letter(
            text=self.text, html=self.html, to=self.to, cc=self.cc, bcc=self.bcc, subject=subject,
            attachments=[a.given() for a in self.attachments], from_address_id=self.from_address_id,
            send_at=self.send_at,
        )  # fmt: skip


class ReplyIn(LetterIn):
    quote: Literal["none", "last", "all"] = Field("last", description="What is quoted below it.")
    answers_message_id: Name | None = Field(
        None, description="The message answered; the customer's last when left out."
    )
    seen_message_id: Name | None = Field(
        None, description="The last message that was seen; 409 `recipients_changed` when somebody wrote after it."
    )
    cancel_on_mail: bool = Field(False, description="With `send_at`: not sent when the customer writes before.")


class ComposeIn(LetterIn):
    subject: Annotated[str, Field(max_length=1000)]
    queue_id: Name | None = Field(None, description="The queue of the address when left out.")


class ForwardIn(LetterIn):
    subject: Annotated[str, Field(max_length=1000)] = ""
    message_id: Name | None = Field(None, description="The message; the conversation when left out.")
    with_files: bool = Field(True, description="With the files of what is forwarded.")


class SnoozeIn(Body):
    until: AwareDatetime | None = Field(None, description="null: it comes back now.")


class MergeIn(Body):
    into: Name = Field(description="Id or number of the other ticket.")


class SplitIn(Body):
    message_id: Name


class SpamIn(Body):
    spam: bool = True


class TogetherIn(Body):
    ids: Annotated[list[Name], Field(min_length=1, max_length=100)]
    status: Name | None = None
    assignee_id: Name | None = Field(None, description="null: nobody.")
    queue_id: Name | None = None
    add_tags: Annotated[list[Name], Field(max_length=50)] | None = None
    remove_tags: Annotated[list[Name], Field(max_length=50)] | None = None
    spam: bool | None = None
    snooze_until: AwareDatetime | None = None


class CannedIn(Body):
    name: Annotated[str, Field(max_length=80)]
    text: Annotated[str, Field(max_length=20_000)]
    queue_id: Name | None = Field(None, description="null: for all queues.")


class BlockIn(Body):
    email: Annotated[str, Field(max_length=320)] | None = None
    domain: Annotated[str, Field(max_length=253)] | None = None


class NoteIn(Body):
    text: Text = ""
    html: Text | None = None
    attachments: Attachments = []


class TicketChange(Body):
    status: Line | None = None
    assignee_id: Id | None = Field(None, description="null: nobody.")
    queue_id: Id | None = None
    only_if_unassigned: bool = False
    tags: Annotated[list[Name], Field(max_length=100)] | None = Field(None, description="All its tags.")
    add_tags: Annotated[list[Name], Field(max_length=50)] | None = None
    remove_tags: Annotated[list[Name], Field(max_length=50)] | None = None


class DraftIn(Body):
    text: Text = ""
    html: Text | None = None
    to: Lines = []
    cc: Lines = []
    bcc: Lines = []
    attachments: Attachments = []
    from_address_id: Id | None = None
    note: bool = False


class ConfirmIn(Body):
    email: Line


class ResendIn(Body):
    recipients: list[Line] | None = Field(
        None, min_length=1, max_length=100, description="To these of its recipients; none: to those it did not reach."
    )


class TokenIn(Body):
    name: Line
    scopes: Scopes
    days: int | None = Field(None, ge=1, le=3650, description="It ends after so many days.")


class SignInBody(Body):
    email: Line
    password: Line


class PasswordChange(Body):
    old: Line
    new: Line


class InvitationAnswer(Body):
    token: Line
    password: Line
