"""What is sent about tickets: letters, notes, drafts, changes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from mailroom_console.tickets.writing import Letter

from .bodies import Body, Id, Line, Lines, Name, Text

Base64 = Annotated[str, Field(max_length=40_000_000)]  # `MAILROOM_UPLOAD_LIMIT_BYTES` may ask for less


class AttachmentIn(Body):
    id: Id | None = Field(None, description="Id from POST /attachments.")
    filename: Line | None = None
    content_type: Line | None = None
    content_base64: Base64 | None = None
    content_id: Line | None = Field(None, description="Shown within `html`, where it says `cid:` and this.")


Attachments = Annotated[list[AttachmentIn], Field(max_length=100)]


Mailbox = Line | Annotated[dict[str, Any], Field(max_length=10)]


Mailboxes = Annotated[list[Mailbox], Field(max_length=200)]


class LetterIn(Body):
    text: Text = ""
    html: Text | None = None
    to: Mailboxes = Field([])
    cc: Mailboxes = Field([])
    bcc: Mailboxes = Field([])
    attachments: Attachments = Field([])
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


class NoteIn(Body):
    text: Text = ""
    html: Text | None = None
    attachments: Attachments = Field([])


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
    to: Lines = Field([])
    cc: Lines = Field([])
    bcc: Lines = Field([])
    attachments: Attachments = Field([])
    from_address_id: Id | None = None
    note: bool = False


class ConfirmIn(Body):
    email: Line


class ResendIn(Body):
    recipients: list[Line] | None = Field(
        None, min_length=1, max_length=100, description="To these of its recipients; none: to those it did not reach."
    )
