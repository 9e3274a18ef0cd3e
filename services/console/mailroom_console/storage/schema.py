"""The console's own tables: configuration, people, sessions, tokens, drafts, outbox. Times in microseconds."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import JSON

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
Id = String(64)
# SQLite counts up by itself only for a column declared INTEGER
Serial = BigInteger().with_variant(Integer, "sqlite")


def _portal(**kwargs: object) -> Column[str]:
    return Column("portal_id", Id, ForeignKey("portals.id", ondelete="RESTRICT"), nullable=False, **kwargs)  # type: ignore[arg-type]


portals = Table(
    "portals", metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    Column("dkim", JSON, nullable=False, default=list),
    Column("follow_up_after_days", Integer, nullable=False, default=14),
    Column("known_days", Integer, nullable=False, default=400, server_default="400"),
    Column("tickets_kept_days", Integer),  # after closing; None: for ever
    Column("attachments_kept_days", Integer),  # with the raw sources, in which they are, too
    Column("undo_send_s", Integer, nullable=False, default=10),
    Column("office_hours", JSON(none_as_null=True)),
    Column("revision", Integer, nullable=False, default=1),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)  # fmt: skip

blocked = Table(
    "blocked", metadata,
    _portal(primary_key=True),
    Column("entry", String(320), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("by_name", Text, nullable=False, default=""),
)  # fmt: skip

canned = Table(
    "canned", metadata,
    Column("id", Id, primary_key=True),
    _portal(index=True),
    Column("queue_id", Id),  # None: for all queues
    Column("name", String(80), nullable=False),
    Column("text", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)  # fmt: skip

domains = Table(
    "domains", metadata,
    Column("domain", String(253), primary_key=True),
    _portal(index=True),
    Column("position", Integer, nullable=False, default=0),
)  # fmt: skip

queues = Table(
    "queues", metadata,
    Column("id", Id, primary_key=True),
    _portal(),
    Column("name", Text, nullable=False),
    Column("revision", Integer, nullable=False, default=1),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("portal_id", "name"),
)  # fmt: skip

agents = Table(
    "agents", metadata,
    Column("id", Id, primary_key=True),
    _portal(index=True),
    Column("email", String(320), nullable=False, unique=True),
    Column("name", Text, nullable=False, default=""),
    Column("role", String(20), nullable=False, default="agent"),
    Column("active", Boolean, nullable=False, default=True),
    Column("password_hash", Text),
    Column("must_change", Boolean, nullable=False, default=False),
    Column("language", String(10), nullable=False, default=""),  # "": what the browser would rather have
    Column("zone", String(64), nullable=False, default=""),  # of the browser that signed in last
    Column("presence", String(10)),  # the one that lasts until it is changed; Redis has every present one
    Column("revision", Integer, nullable=False, default=1),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    CheckConstraint("role IN ('administrator', 'agent')", name="role"),
)  # fmt: skip

queue_agents = Table(
    "queue_agents", metadata,
    Column("queue_id", Id, ForeignKey("queues.id", ondelete="CASCADE"), primary_key=True),
    Column("agent_id", Id, ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True, index=True),
)  # fmt: skip

addresses = Table(
    "addresses", metadata,
    Column("id", Id, primary_key=True),
    _portal(index=True),
    Column("kind", String(20), nullable=False),
    Column("email", String(320), nullable=False, unique=True),
    Column("full_name", Text, nullable=False, default=""),
    Column("queue_id", Id, ForeignKey("queues.id", ondelete="RESTRICT"), index=True),
    Column("prefer_online", Boolean, nullable=False, default=False),
    Column("active", Boolean, nullable=False, default=True),
    Column("auto_reply", JSON, nullable=False, default=dict),
    Column("answering", JSON, nullable=False, default=dict),  # signature, number_in_subject, plus_replies, plus_checked_at
    Column("smtp", JSON(none_as_null=True)),
    Column("gmail", JSON(none_as_null=True)),
    Column("forwards_to", Id, ForeignKey("addresses.id", ondelete="RESTRICT"), index=True),
    Column("forwarders", JSON, nullable=False, default=list),
    Column("revision", Integer, nullable=False, default=1),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    CheckConstraint("kind IN ('internal', 'gmail', 'smtp')", name="kind"),
    CheckConstraint("kind = 'gmail' OR queue_id IS NOT NULL", name="queue_unless_gmail"),
    CheckConstraint("kind <> 'smtp' OR smtp IS NOT NULL", name="smtp_account"),
)  # fmt: skip

sessions = Table(
    "sessions", metadata,
    Column("id", String(64), primary_key=True),  # digest of what the cookie holds
    Column("agent_id", Id, ForeignKey("agents.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("csrf", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("client", Text, nullable=False, default=""),
)  # fmt: skip

invitations = Table(
    "invitations", metadata,
    Column("id", String(64), primary_key=True),  # digest of the link's token
    Column("agent_id", Id, ForeignKey("agents.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False),
)  # fmt: skip

login_failures = Table(
    "login_failures", metadata,
    Column("who", String(400), primary_key=True),
    Column("tries", Integer, nullable=False),
    Column("last_at", BigInteger, nullable=False),
)  # fmt: skip

api_tokens = Table(
    "api_tokens", metadata,
    Column("id", Id, primary_key=True),
    _portal(index=True),
    Column("name", Text, nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("hint", String(16), nullable=False, default=""),
    Column("scopes", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False, default=""),
    Column("used_at", BigInteger),
    Column("expires_at", BigInteger),
)  # fmt: skip

drafts = Table(
    "drafts", metadata,
    Column("ticket_id", Id, primary_key=True),
    Column("agent_id", Id, ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True),
    _portal(),
    Column("key", String(64), nullable=False),  # the Idempotency-Key that sending it will use
    Column("content", JSON, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)  # fmt: skip

uploads = Table(
    "uploads", metadata,
    Column("id", Id, primary_key=True),
    _portal(index=True),
    Column("filename", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("blob_key", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),  # when it was given last
    Column("state", String(20), nullable=False, default="waiting"),  # waiting, used, or going: about to be deleted
)  # fmt: skip

idempotency = Table(
    "idempotency", metadata,
    Column("command_id", Id, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
)  # fmt: skip

outbox = Table(
    "outbox", metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("topic", String(64), nullable=False),
    Column("key", Text, nullable=False),
    Column("value", LargeBinary),
    Column("headers", JSON, nullable=False),
    Column("published_at", BigInteger),
    Index("ix_outbox_waiting", "seq", sqlite_where=Column("published_at", BigInteger).is_(None)),
)  # fmt: skip

audit = Table(
    "audit", metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    _portal(),
    Column("at", BigInteger, nullable=False),
    Column("actor_kind", String(20), nullable=False),
    Column("actor_id", Id),
    Column("actor_name", Text, nullable=False, default=""),
    Column("action", String(64), nullable=False),
    Column("subject_kind", String(20), nullable=False),
    Column("subject_id", Id, nullable=False),
    Column("subject_name", Text, nullable=False, default=""),
    Column("revision", Integer),
    Column("changes", JSON, nullable=False, default=dict),
    Index("ix_audit_portal", "portal_id", "seq"),
    Index("ix_audit_subject", "subject_id", "revision"),
)  # fmt: skip

erasures = Table(
    "erasures", metadata,
    Column("id", Id, primary_key=True),
    Column("portal_id", Id, nullable=False),  # which may be gone
    Column("kind", String(10), nullable=False),  # person, portal, retention, files
    Column("subject", Text, nullable=False),  # the portal's name; of a person a digest of the address; else the day
    Column("target", Text),  # the address itself, while there is something to do
    Column("state", String(10), nullable=False, default="going"),  # going, done
    Column("asked_at", BigInteger, nullable=False),
    Column("asked_by", Text, nullable=False, default=""),
    Column("done_at", BigInteger),
    Column("removed", JSON, nullable=False, default=dict),
    Column("unreadable_at", BigInteger),  # no reader of ticket.events is given it any more
    Column("gone_at", BigInteger),  # it left the brokers' disks, too
)  # fmt: skip

# what is kept no longer, until it is removed
expiries = Table(
    "expiries", metadata,
    Column("ticket_id", Id, primary_key=True),
    _portal(index=True),
    Column("kind", String(10), nullable=False),  # ticket, or its files alone
    Column("command_id", Id, nullable=False),
    Column("command", Text, nullable=False),
    Column("blobs", JSON, nullable=False),  # pairs: key, time of its message
    Column("messages", Integer, nullable=False),
)  # fmt: skip

# ticket.events, by partition: written anew, so that it forgets what was erased
log_renewals = Table(
    "log_renewals", metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("state", String(10), nullable=False),  # idle, asked, failed
    Column("command_id", Id),
    Column("asked_at", BigInteger),
    Column("asked_by", Text, nullable=False, default=""),
    Column("renewed_to", BigInteger),  # what was erased before then is in the partition no more
    Column("problem", Text, nullable=False, default=""),
)  # fmt: skip

oauth_states = Table(
    "oauth_states", metadata,
    Column("state", String(64), primary_key=True),
    _portal(),
    Column("verifier", String(128), nullable=False),
    Column("address_id", Id),  # the address to reconnect
    Column("principal", Text, nullable=False),
    Column("options", JSON, nullable=False, default=dict),
    Column("expires_at", BigInteger, nullable=False),
)  # fmt: skip

forwarding_checks = Table(
    "forwarding_checks", metadata,
    Column("id", Id, primary_key=True),
    _portal(),
    Column("address_id", Id, ForeignKey("addresses.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("message_id", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("reason", Text),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
)  # fmt: skip

dead_letters = Table(
    "dead_letters", metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("topic", String(64), nullable=False),  # short name of the source
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("portal_id", Id),  # None where nothing in it says so
    Column("service", String(40)),
    Column("error", Text),
    Column("error_type", Text),
    Column("failed_at", Text),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", JSON, nullable=False),
    Column("state", String(20), nullable=False, default="new"),  # new, replayed, discarded
    Column("changed_at", BigInteger),
    UniqueConstraint("topic", "partition", "offset"),
    Index("ix_dead_letters_portal", "portal_id", "state", "seq"),
)  # fmt: skip

dead_offsets = Table(
    "dead_offsets", metadata,
    Column("topic", String(64), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)  # fmt: skip

generations = Table(
    "generations", metadata,
    Column("id", Integer, primary_key=True),  # 0 and 1
    Column("state", String(20), nullable=False),  # active, building, empty
    Column("form", Integer, nullable=False),  # version of the projection that filled it
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    CheckConstraint("id IN (0, 1)", name="two"),
)  # fmt: skip
