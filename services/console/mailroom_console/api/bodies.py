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


class PortalIn(Body):
    name: str
    domains: list[str] = []


class PortalChange(Body):
    name: str | None = None
    domains: list[str] | None = None
    follow_up_after_days: int | None = None
    undo_send_s: int | None = Field(
        None, description="Seconds that agents' mail is held, so that it can be taken back."
    )
    office_hours: dict[str, Any] | None = Field(
        None, description="zone, week [{day, begin, end}], holidays; null: always."
    )
    revision: int | None = None


class AutoReplyIn(Body):
    enabled: bool | None = None
    subject: str | None = Field(None, description="{{ticket.number}}, {{customer.name}}, {{subject}}, {{queue.name}}")
    content: str | None = None
    outside_content: str | None = Field(None, description="Instead of `content` outside of office hours.")


class SmtpIn(Body):
    host: str | None = None
    port: int | None = None
    tls: Literal["implicit", "starttls", "none"] | None = Field(None, description="Worked out from the port.")
    username: str | None = Field(None, description="The address itself when left out.")
    auth: Literal["password", "oauth", "xoauth2"] | None = Field(
        None, description="oauth: signed in at a provider, see POST /addresses/smtp/connect."
    )
    max_connections: int | None = Field(None, ge=1, le=20)
    messages_per_minute: int | None = Field(None, ge=1)


class GmailIn(Body):
    label_ids: list[str] | None = None
    import_since: AwareDatetime | None = None


class AddressIn(Body):
    kind: Literal["internal", "gmail", "smtp"]
    local_part: str | None = Field(None, description="Internal: the part before the @.")
    domain: str | None = Field(None, description="Internal: one of the portal's domains; the first when left out.")
    email: str | None = Field(None, description="SMTP: the whole address.")
    full_name: str | None = None
    queue_id: str | None = None
    prefer_online: bool | None = None
    active: bool | None = True
    auto_reply: AutoReplyIn | None = None
    smtp: SmtpIn | None = None
    password: str | None = Field(None, description="Write-only.")
    forwards_to: str | None = Field(None, description="SMTP: id of the internal address that it forwards to.")


class AddressChange(Body):
    full_name: str | None = None
    signature: str | None = Field(None, description="Below agents' mail; {{agent.name}} is who writes.")
    number_in_subject: bool | None = Field(None, description="The ticket's number in the subject of answers.")
    queue_id: str | None = None
    prefer_online: bool | None = None
    active: bool | None = None
    auto_reply: AutoReplyIn | None = None
    smtp: SmtpIn | None = None
    gmail: GmailIn | None = None
    password: str | None = Field(None, description="Write-only.")
    forwards_to: str | None = None
    revision: int | None = Field(None, description="The revision that was seen; 409 when it is not the present one.")
    kind: str | None = None
    email: str | None = None
    local_part: str | None = None


class AccountCheck(Body):
    email: str
    smtp: SmtpIn
    password: str


class ConnectIn(Body):
    address_id: str | None = Field(None, description="Reconnect this address.")
    import_days: int | None = Field(None, ge=0, le=3650, description="Read mail as old as this at first.")


class SmtpConnectIn(Body):
    provider: str = Field(description="microsoft, google, or an id of MAILROOM_OAUTH_PROVIDERS.")
    email: str = Field(description="The address that sends; who signs in may be somebody who may send as it.")
    address_id: str | None = Field(None, description="Sign in anew for this address.")
    full_name: str | None = None
    queue_id: str | None = Field(None, description="The portal's first queue when left out.")
    prefer_online: bool | None = None
    active: bool | None = None
    auto_reply: AutoReplyIn | None = None
    smtp: SmtpIn | None = None
    forwards_to: str | None = None


class PreviewIn(Body):
    subject: str = ""
    content: str = ""
    queue_name: str = "Support"


class TestMailIn(Body):
    to: str
    subject: str | None = None
    content: str | None = None


class QueueIn(Body):
    name: str
    agent_ids: list[str] = []


class QueueChange(Body):
    name: str | None = None
    agent_ids: list[str] | None = None
    revision: int | None = None


class AgentIn(Body):
    email: str
    name: str = ""
    role: Literal["administrator", "agent"] = "agent"
    queue_ids: list[str] = []
    password: str | None = Field(None, description="Write-only; without it the answer holds an `invite_url`.")


class AgentChange(Body):
    name: str | None = None
    role: Literal["administrator", "agent"] | None = None
    queue_ids: list[str] | None = None
    active: bool | None = None
    revision: int | None = None


class PresenceIn(Body):
    presence: str
    ttl_s: float | None = Field(None, description="Seconds; until changed when left out.")


class AttachmentIn(Body):
    id: str | None = Field(None, description="Id from POST /attachments.")
    filename: str | None = None
    content_type: str | None = None
    content_base64: str | None = None


Mailbox = Annotated[str, Field(max_length=1000)] | dict[str, Any]
Mailboxes = Annotated[list[Mailbox], Field(max_length=200)]
Text = Annotated[str, Field(max_length=200_000)]
Name = Annotated[str, Field(max_length=200)]


class LetterIn(Body):
    text: Text = ""
    html: Text | None = None
    to: Mailboxes = []
    cc: Mailboxes = []
    bcc: Mailboxes = []
    attachments: Annotated[list[AttachmentIn], Field(max_length=100)] = []
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
    text: str = ""
    html: str | None = None
    attachments: list[AttachmentIn] = []


class TicketChange(Body):
    status: str | None = None
    assignee_id: str | None = Field(None, description="null: nobody.")
    queue_id: str | None = None
    only_if_unassigned: bool = False
    tags: Annotated[list[Name], Field(max_length=100)] | None = Field(None, description="All its tags.")
    add_tags: Annotated[list[Name], Field(max_length=50)] | None = None
    remove_tags: Annotated[list[Name], Field(max_length=50)] | None = None


class DraftIn(Body):
    text: str = ""
    html: str | None = None
    to: list[str] = []
    cc: list[str] = []
    bcc: list[str] = []
    attachments: list[AttachmentIn] = []
    from_address_id: str | None = None
    note: bool = False


class ConfirmIn(Body):
    email: str


class ResendIn(Body):
    recipients: list[str] | None = Field(
        None, min_length=1, max_length=100, description="To these of its recipients; none: to those it did not reach."
    )


class TokenIn(Body):
    name: str
    scopes: list[str]
    days: int | None = Field(None, ge=1, le=3650, description="It ends after so many days.")


class SignInBody(Body):
    email: str
    password: str


class PasswordChange(Body):
    old: str
    new: str


class InvitationAnswer(Body):
    token: str
    password: str
