"""The contracts of Mailroom: every topic and what is in it. Needs pydantic and nothing else."""

from . import ids, topics
from .base import Message, Model
from .codec import Record, Undecodable, decode, decode_as, encode, header, tombstone
from .commands import (
    AddNote,
    Assign,
    AssignWaiting,
    AutoReplyCommand,
    CancelMessage,
    ConfirmSender,
    MoveQueue,
    Reply,
    ResendMessage,
    SetStatus,
    TicketCommand,
)  # fmt: skip
from .common import (
    Actor,
    AttachmentRef,
    BlobRef,
    Delivery,
    DkimResult,
    Person,
    RecipientReport,
    TicketMessage,
    Verdicts,
)  # fmt: skip
from .config import (
    Address,
    AddressStatus,
    Agent,
    AutoReply,
    DkimKey,
    Forwarder,
    GmailAccount,
    GmailCursor,
    Portal,
    Queue,
    SmtpAccount,
)  # fmt: skip
from .events import (
    Assigned,
    AutoReplied,
    CommandRefused,
    DeliveryChanged,
    InputIgnored,
    MessageAdded,
    NoteAdded,
    QueueChanged,
    ReplyRequested,
    SenderConfirmed,
    StatusChanged,
    TicketCreated,
    TicketEvent,
    Unassigned,
)  # fmt: skip
from .mail import BounceInfo, Content, EmailReceived, EmailRouted, Envelope, GmailOrigin, Trace
from .outbound import DeliveryReport, LaneEntry, OutboundMail, Quote
from .tickets import MessageSummary, TicketState
from .topics import TOPICS, Topic

__all__ = [
    "TOPICS", "Actor", "AddNote", "Address", "AddressStatus", "Agent", "Assign", "AssignWaiting", "Assigned",
    "AttachmentRef", "AutoReplied", "AutoReply", "AutoReplyCommand", "BlobRef", "BounceInfo", "CancelMessage",
    "CommandRefused", "ConfirmSender", "Content", "Delivery", "DeliveryChanged", "DeliveryReport", "DkimKey",
    "DkimResult", "EmailReceived", "EmailRouted", "Envelope", "Forwarder", "GmailAccount", "GmailCursor", "GmailOrigin",
    "InputIgnored", "LaneEntry", "Message", "MessageAdded", "MessageSummary", "Model", "MoveQueue", "NoteAdded",
    "OutboundMail", "Person", "Portal", "Queue", "QueueChanged", "Quote", "RecipientReport", "Record", "Reply",
    "ReplyRequested", "ResendMessage", "SenderConfirmed", "SetStatus", "SmtpAccount", "StatusChanged", "TicketCommand",
    "TicketCreated", "TicketEvent", "TicketMessage", "TicketState", "Topic", "Trace", "Unassigned", "Undecodable",
    "Verdicts", "decode", "decode_as", "encode", "header", "ids", "tombstone", "topics",
]  # fmt: skip
