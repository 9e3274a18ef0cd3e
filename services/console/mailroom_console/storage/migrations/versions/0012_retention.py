"""How long a portal keeps closed tickets and their files, what is being removed, and since when tickets are closed.

Revision: 0012, after 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

CLOSED = sa.text("closed_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("portals", sa.Column("tickets_kept_days", sa.Integer()))
    op.add_column("portals", sa.Column("attachments_kept_days", sa.Integer()))
    op.create_table(
        "expiries",
        sa.Column("ticket_id", sa.String(64), primary_key=True),
        sa.Column("portal_id", sa.String(64), sa.ForeignKey("portals.id", ondelete="RESTRICT"), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("command_id", sa.String(64), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("blobs", sa.JSON(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
    )
    op.create_index("ix_expiries_portal_id", "expiries", ["portal_id"])
    for g in (0, 1):
        tickets, messages, history = f"rm{g}_tickets", f"rm{g}_messages", f"rm{g}_history"
        op.add_column(tickets, sa.Column("closed_at", sa.BigInteger()))
        op.add_column(tickets, sa.Column("has_files", sa.Boolean(), nullable=False, server_default=sa.true()))
        op.add_column(messages, sa.Column("files_removed", sa.Integer()))
        op.execute(
            f"UPDATE {tickets} SET closed_at = (SELECT max(h.at) FROM {history} h "  # noqa: S608
            f"WHERE h.ticket_id = {tickets}.id AND h.type = 'ticket.status_changed') WHERE status = 'closed'"
        )
        op.create_index(
            f"ix_rm{g}_closed", tickets, ["portal_id", "closed_at", "has_files", "seq"], sqlite_where=CLOSED,
            postgresql_where=CLOSED,
        )  # fmt: skip
        op.create_index(f"ix_rm{g}_at", messages, ["at"])


def downgrade() -> None:
    for g in (0, 1):
        op.drop_index(f"ix_rm{g}_at", f"rm{g}_messages")
        op.drop_index(f"ix_rm{g}_closed", f"rm{g}_tickets")
        with op.batch_alter_table(f"rm{g}_messages") as batch:
            batch.drop_column("files_removed")
        with op.batch_alter_table(f"rm{g}_tickets") as batch:
            batch.drop_column("has_files")
            batch.drop_column("closed_at")
    op.drop_table("expiries")
    with op.batch_alter_table("portals") as batch:
        batch.drop_column("attachments_kept_days")
        batch.drop_column("tickets_kept_days")
