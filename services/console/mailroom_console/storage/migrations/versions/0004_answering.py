"""The read model knows tags, snoozed, spam and merged tickets, and whom answers go to. Its tables are made anew: they are
rebuilt from ticket.events (FORM 3).

Revision: 0004, after 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_INDEXES = {
    "place": ("portal_id", "place", "updated_at", "seq"),
    "queue_place": ("portal_id", "queue_id", "place", "updated_at", "seq"),
    "assignee_place": ("portal_id", "assignee_id", "place", "updated_at", "seq"),
    "queue_assignee_place": ("portal_id", "queue_id", "assignee_id", "place", "updated_at", "seq"),
    "customer": ("portal_id", "customer_email", "updated_at"),
}
_OLD = {
    "status": ("portal_id", "status", "updated_at", "seq"),
    "queue": ("portal_id", "queue_id", "status", "updated_at", "seq"),
    "assignee": ("portal_id", "assignee_id", "status", "updated_at", "seq"),
    "queue_assignee": ("portal_id", "queue_id", "assignee_id", "status", "updated_at", "seq"),
}


def upgrade() -> None:
    op.add_column("portals", sa.Column("undo_send_s", sa.Integer(), nullable=False, server_default="10"))
    op.add_column("portals", sa.Column("office_hours", sa.JSON()))
    op.add_column("addresses", sa.Column("answering", sa.JSON(), nullable=False, server_default="{}"))
    op.create_table(
        "blocked",
        sa.Column("portal_id", sa.String(64), sa.ForeignKey("portals.id", ondelete="RESTRICT"), primary_key=True),
        sa.Column("entry", sa.String(320), primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
    )
    op.create_table(
        "canned",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("portal_id", sa.String(64), sa.ForeignKey("portals.id", ondelete="RESTRICT"), nullable=False),
        sa.Column("queue_id", sa.String(64)),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_canned_portal_id", "canned", ["portal_id"])
    for g in (0, 1):
        t = f"rm{g}_tickets"
        op.add_column(t, sa.Column("place", sa.String(20), nullable=False, server_default="open"))
        op.add_column(t, sa.Column("tags", sa.JSON(), nullable=False, server_default="[]"))
        op.add_column(t, sa.Column("snoozed_until", sa.BigInteger()))
        op.add_column(t, sa.Column("merged_into", sa.String(64)))
        op.add_column(t, sa.Column("spam", sa.Boolean(), nullable=False, server_default=sa.false()))
        op.add_column(t, sa.Column("answers", sa.JSON()))
        op.add_column(f"rm{g}_messages", sa.Column("split_to", sa.String(64)))
        op.execute(f"UPDATE {t} SET place = status")  # noqa: S608 - a name of ours
        for name in _OLD:
            op.drop_index(f"ix_rm{g}_{name}", t)
        for name, columns in _INDEXES.items():
            op.create_index(f"ix_rm{g}_{name}", t, list(columns))
        merged = sa.text("merged_into IS NOT NULL")
        op.create_index(f"ix_rm{g}_merged", t, ["merged_into"], sqlite_where=merged, postgresql_where=merged)
        op.create_table(
            f"rm{g}_tags",
            sa.Column("ticket_id", sa.String(64), primary_key=True),
            sa.Column("tag", sa.String(80), primary_key=True),
            sa.Column("portal_id", sa.String(64), nullable=False),
            sa.Column("name", sa.String(80), nullable=False),
        )
        op.create_index(f"ix_rm{g}_tags", f"rm{g}_tags", ["portal_id", "tag", "ticket_id"])


def downgrade() -> None:
    op.drop_table("canned")
    op.drop_table("blocked")
    with op.batch_alter_table("addresses") as batch:
        batch.drop_column("answering")
    with op.batch_alter_table("portals") as batch:
        batch.drop_column("undo_send_s")
        batch.drop_column("office_hours")
    for g in (0, 1):
        t = f"rm{g}_tickets"
        op.drop_table(f"rm{g}_tags")
        for name in (*_INDEXES, "merged"):
            op.drop_index(f"ix_rm{g}_{name}", t)
        with op.batch_alter_table(f"rm{g}_messages") as batch:
            batch.drop_column("split_to")
        with op.batch_alter_table(t) as batch:
            for name in ("place", "tags", "snoozed_until", "merged_into", "spam", "answers"):
                batch.drop_column(name)
        for name, columns in _OLD.items():
            op.create_index(f"ix_rm{g}_{name}", t, list(columns))
