"""First tables

Revision: 0001, the first
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    for generation in (0, 1):
        _create_generation(generation)
    op.create_table(
        "dead_letters",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("portal_id", sa.String(length=64), nullable=True),
        sa.Column("service", sa.String(length=40), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_type", sa.Text(), nullable=True),
        sa.Column("failed_at", sa.Text(), nullable=True),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_dead_letters")),
        sa.UniqueConstraint("topic", "partition", "offset", name=op.f("uq_dead_letters_topic_partition_offset")),
    )
    op.create_index("ix_dead_letters_portal", "dead_letters", ["portal_id", "state", "seq"])
    op.create_table(
        "dead_offsets",
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", name=op.f("pk_dead_offsets")),
    )
    op.create_table(
        "generations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("form", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("id IN (0, 1)", name=op.f("ck_generations_two")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generations")),
    )
    op.create_table(
        "idempotency",
        sa.Column("command_id", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("command_id", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_at"), "idempotency", ["at"])
    op.create_table(
        "login_failures",
        sa.Column("who", sa.String(length=400), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("who", name=op.f("pk_login_failures")),
    )
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_waiting", "outbox", ["seq"], sqlite_where=sa.text("published_at IS NULL"))
    op.create_table(
        "portals",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("dkim", sa.JSON(), nullable=False),
        sa.Column("follow_up_after_days", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portals")),
    )
    op.create_table(
        "agents",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("portal_id", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("role IN ('administrator', 'agent')", name=op.f("ck_agents_role")),
        _refers("agents", "portal_id", "portals"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
        sa.UniqueConstraint("email", name=op.f("uq_agents_email")),
    )
    op.create_index(op.f("ix_agents_portal_id"), "agents", ["portal_id"])
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("portal_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("hint", sa.String(length=16), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        _refers("api_tokens", "portal_id", "portals"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_tokens_digest")),
    )
    op.create_index(op.f("ix_api_tokens_portal_id"), "api_tokens", ["portal_id"])
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("portal_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor_kind", sa.String(length=20), nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=True),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject_kind", sa.String(length=20), nullable=False),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("subject_name", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("changes", sa.JSON(), nullable=False),
        _refers("audit", "portal_id", "portals"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_portal", "audit", ["portal_id", "seq"])
    op.create_index("ix_audit_subject", "audit", ["subject_id", "revision"])
    op.create_table(
        "domains",
        sa.Column("domain", sa.String(length=253), nullable=False),
        sa.Column("portal_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        _refers("domains", "portal_id", "portals"),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_domains")),
    )
    op.create_index(op.f("ix_domains_portal_id"), "domains", ["portal_id"])
    op.create_table(
        "oauth_states",
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("portal_id", sa.String(length=64), nullable=False),
        sa.Column("verifier", sa.String(length=128), nullable=False),
        sa.Column("address_id", sa.String(length=64), nullable=True),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        _refers("oauth_states", "portal_id", "portals"),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_oauth_states")),
    )
    op.create_table(
        "queues",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("portal_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        _refers("queues", "portal_id", "portals"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queues")),
        sa.UniqueConstraint("portal_id", "name", name=op.f("uq_queues_portal_id_name")),
    )
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("portal_id", sa.String(length=64), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("blob_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        _refers("uploads", "portal_id", "portals"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index(op.f("ix_uploads_portal_id"), "uploads", ["portal_id"])
    op.create_table(
        "addresses",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("portal_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.String(length=64), nullable=True),
        sa.Column("prefer_online", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("auto_reply", sa.JSON(), nullable=False),
        sa.Column("smtp", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("gmail", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("forwards_to", sa.String(length=64), nullable=True),
        sa.Column("forwarders", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind <> 'smtp' OR smtp IS NOT NULL", name=op.f("ck_addresses_smtp_account")),
        sa.CheckConstraint("kind = 'gmail' OR queue_id IS NOT NULL", name=op.f("ck_addresses_queue_unless_gmail")),
        sa.CheckConstraint("kind IN ('internal', 'gmail', 'smtp')", name=op.f("ck_addresses_kind")),
        _refers("addresses", "forwards_to", "addresses"),
        _refers("addresses", "portal_id", "portals"),
        _refers("addresses", "queue_id", "queues"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_addresses")),
        sa.UniqueConstraint("email", name=op.f("uq_addresses_email")),
    )
    op.create_index(op.f("ix_addresses_forwards_to"), "addresses", ["forwards_to"])
    op.create_index(op.f("ix_addresses_portal_id"), "addresses", ["portal_id"])
    op.create_index(op.f("ix_addresses_queue_id"), "addresses", ["queue_id"])
    op.create_table(
        "drafts",
        sa.Column("ticket_id", sa.String(length=64), nullable=False),
        sa.Column("agent_id", sa.String(length=64), nullable=False),
        sa.Column("portal_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        _refers("drafts", "agent_id", "agents", "CASCADE"),
        _refers("drafts", "portal_id", "portals"),
        sa.PrimaryKeyConstraint("ticket_id", "agent_id", name=op.f("pk_drafts")),
    )
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("agent_id", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        _refers("invitations", "agent_id", "agents", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
    )
    op.create_index(op.f("ix_invitations_agent_id"), "invitations", ["agent_id"])
    op.create_table(
        "queue_agents",
        sa.Column("queue_id", sa.String(length=64), nullable=False),
        sa.Column("agent_id", sa.String(length=64), nullable=False),
        _refers("queue_agents", "agent_id", "agents", "CASCADE"),
        _refers("queue_agents", "queue_id", "queues", "CASCADE"),
        sa.PrimaryKeyConstraint("queue_id", "agent_id", name=op.f("pk_queue_agents")),
    )
    op.create_index(op.f("ix_queue_agents_agent_id"), "queue_agents", ["agent_id"])
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("agent_id", sa.String(length=64), nullable=False),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        _refers("sessions", "agent_id", "agents", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_agent_id"), "sessions", ["agent_id"])
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"])
    op.create_table(
        "forwarding_checks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("portal_id", sa.String(length=64), nullable=False),
        sa.Column("address_id", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        _refers("forwarding_checks", "address_id", "addresses", "CASCADE"),
        _refers("forwarding_checks", "portal_id", "portals"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forwarding_checks")),
    )
    op.create_index(op.f("ix_forwarding_checks_address_id"), "forwarding_checks", ["address_id"])


def _refers(table: str, column: str, to: str, on_delete: str = "RESTRICT") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}"), ondelete=on_delete)


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _create_generation(g: int) -> None:
    """The tables of the read model, of which there are two: one is shown while the other is rebuilt."""
    op.create_table(
        f"rm{g}_bounces",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("portal_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("receipt_id", sa.String(length=64), nullable=True),
        sa.Column("document", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_rm{g}_bounces")),
    )
    op.create_index(f"ix_rm{g}_bounces", f"rm{g}_bounces", ["portal_id", "at", "id"])
    op.create_table(
        f"rm{g}_counters",
        sa.Column("address_id", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("portal_id", sa.String(length=64), nullable=False),
        sa.Column("mails_in", sa.Integer(), nullable=False),
        sa.Column("mails_out", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("address_id", "day", "hour", name=op.f(f"pk_rm{g}_counters")),
    )
    op.create_index(op.f(f"ix_rm{g}_counters_portal_id"), f"rm{g}_counters", ["portal_id"])
    op.create_table(
        f"rm{g}_history",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("ticket_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", "ticket_id", name=op.f(f"pk_rm{g}_history")),
    )
    op.create_index(f"ix_rm{g}_history", f"rm{g}_history", ["ticket_id", "version"])
    op.create_table(
        f"rm{g}_messages",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("ticket_id", sa.String(length=64), nullable=False),
        sa.Column("portal_id", sa.String(length=64), nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("address_id", sa.String(length=64), nullable=True),
        sa.Column("outbound_id", sa.String(length=64), nullable=True),
        sa.Column("delivery_state", sa.String(length=20), nullable=True),
        sa.Column("delivery", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("new_sender", sa.Boolean(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_rm{g}_messages")),
    )
    op.create_index(f"ix_rm{g}_conversation", f"rm{g}_messages", ["ticket_id", "at", "id"])
    op.create_table(
        f"rm{g}_offsets",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition", name=op.f(f"pk_rm{g}_offsets")),
    )
    op.create_table(
        f"rm{g}_outcomes",
        sa.Column("causation_id", sa.String(length=64), nullable=False),
        sa.Column("ticket_id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("message_id", sa.String(length=64), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("causation_id", name=op.f(f"pk_rm{g}_outcomes")),
    )
    op.create_table(
        f"rm{g}_tickets",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.String(length=24), nullable=False),
        sa.Column("portal_id", sa.String(length=64), nullable=False),
        sa.Column("queue_id", sa.String(length=64), nullable=False),
        sa.Column("address_id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("assignee_id", sa.String(length=64), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("customer_email", sa.Text(), nullable=False),
        sa.Column("customer_name", sa.Text(), nullable=False),
        sa.Column("follow_up_of", sa.String(length=64), nullable=True),
        sa.Column("linked_to", sa.String(length=64), nullable=True),
        sa.Column("gmail_thread_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("message_count", sa.Integer(), nullable=False),
        sa.Column("last_text", sa.Text(), nullable=False),
        sa.Column("customer_at", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("waiting", sa.Boolean(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f(f"pk_rm{g}_tickets")),
        sa.UniqueConstraint("id", name=op.f(f"uq_rm{g}_tickets_id")),
    )
    tickets, listed = f"rm{g}_tickets", ["updated_at", "seq"]
    op.create_index(f"ix_rm{g}_assignee", tickets, ["portal_id", "assignee_id", "status", *listed])
    op.create_index(f"ix_rm{g}_failed", tickets, ["portal_id", "queue_id", *listed], **_where("failed > 0"))
    op.create_index(f"ix_rm{g}_number", tickets, ["portal_id", "number"])
    op.create_index(f"ix_rm{g}_queue", tickets, ["portal_id", "queue_id", "status", *listed])
    op.create_index(f"ix_rm{g}_queue_assignee", tickets, ["portal_id", "queue_id", "assignee_id", "status", *listed])
    op.create_index(f"ix_rm{g}_status", tickets, ["portal_id", "status", *listed])
    op.create_index(f"ix_rm{g}_waiting", tickets, ["portal_id", "queue_id", *listed], **_where("waiting"))


def downgrade() -> None:
    for table in (
        "forwarding_checks", "sessions", "queue_agents", "invitations", "drafts", "addresses", "uploads",
        "queues", "oauth_states", "domains", "audit", "api_tokens", "agents", "portals", "outbox",
        "login_failures", "idempotency", "generations", "dead_offsets", "dead_letters",
    ):  # fmt: skip
        op.drop_table(table)
    for generation in (0, 1):
        for table in ("bounces", "counters", "history", "messages", "offsets", "outcomes", "tickets"):
            op.drop_table(f"rm{generation}_{table}")
