"""The contracts of Mailroom: every topic and what is in it. Needs pydantic and nothing else."""

from . import ids, topics
from .base import Message, Model
from .codec import Record, Undecodable, decode, decode_as, encode, header, tombstone
from .commands import (
    AddNote,
    Assign,
    AssignWaiting,
    AutoReplyCommand,
    BeginFrom,
    CancelMessage,
    Compose,
    ConfirmSender,
    Forward,
    GiveBack,
    Merge,
    MoveQueue,
    Reply,
    ResendMessage,
    SetSpam,
    SetStatus,
    SetTags,
    Snooze,
    Split,
    TakeIn,
    TicketCommand,
    Unmerge,
    Wake,
)  # fmt: skip
from .common import (
    Actor,
    Answers,
    AttachmentRef,
    BlobRef,
    Delivery,
    DkimResult,
    Person,
    RecipientReport,
    Recipients,
    TicketMessage,
    Verdicts,
)  # fmt: skip
from .config import (
    Address,
    AddressStatus,
    AddressTokens,
    Agent,
    AutoReply,
    DkimKey,
    Forwarder,
    GmailAccount,
    GmailCursor,
    OfficeHours,
    OpenHours,
    Portal,
    Queue,
    SmtpAccount,
)  # fmt: skip
from .events import (
    Assigned,
    AutoReplied,
    CommandRefused,
    DeliveryChanged,
    Forwarded,
    GaveBack,
    InputIgnored,
    Merged,
    MessageAdded,
    MessageSplit,
    NoteAdded,
    QueueChanged,
    ReplyRequested,
    SenderConfirmed,
    Snoozed,
    SpamChanged,
    StatusChanged,
    TagsChanged,
    TicketCreated,
    TicketEvent,
    TookIn,
    Unassigned,
    Unmerged,
    Woken,
)  # fmt: skip
from .mail import BounceInfo, Content, EmailReceived, EmailRouted, Envelope, GmailOrigin, ListPost, Trace
from .outbound import DeliveryReport, LaneEntry, OutboundMail, Quote
from .skipped import RecordsSkipped
from .tickets import Answered, MessageSummary, TakenIn, TicketState
from .topics import TOPICS, Topic

__all__ = [
    "TOPICS", "Actor", "AddNote", "Address", "AddressStatus", "AddressTokens", "Agent", "Answered", "Answers", "Assign",
    "AssignWaiting", "Assigned", "AttachmentRef", "AutoReplied", "AutoReply", "AutoReplyCommand", "BeginFrom",
    "BlobRef", "BounceInfo", "CancelMessage", "CommandRefused", "Compose", "ConfirmSender", "Content", "Delivery",
    "DeliveryChanged", "DeliveryReport", "DkimKey", "DkimResult", "EmailReceived", "EmailRouted", "Envelope",
    "Forward", "Forwarded", "Forwarder", "GaveBack", "GiveBack", "GmailAccount", "GmailCursor", "GmailOrigin",
    "InputIgnored", "LaneEntry", "ListPost", "Merge", "Merged", "Message", "MessageAdded", "MessageSplit", "MessageSummary",
    "Model", "MoveQueue", "NoteAdded", "OfficeHours", "OpenHours", "OutboundMail", "Person", "Portal", "Queue",
    "QueueChanged", "Quote", "RecipientReport", "Recipients", "Record", "RecordsSkipped", "Reply", "ReplyRequested", "ResendMessage",
    "SenderConfirmed", "SetSpam", "SetStatus", "SetTags", "SmtpAccount", "Snooze", "Snoozed", "SpamChanged", "Split",
    "StatusChanged", "TagsChanged", "TakeIn", "TakenIn", "TicketCommand", "TicketCreated", "TicketEvent",
    "TicketMessage", "TicketState", "TookIn", "Topic", "Trace", "Unassigned", "Undecodable", "Unmerge", "Unmerged",
    "Verdicts", "Wake", "Woken", "decode", "decode_as", "encode", "header", "ids", "tombstone", "topics",
]  # fmt: skip
