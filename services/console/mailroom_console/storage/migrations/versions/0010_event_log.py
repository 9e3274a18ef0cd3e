"""The event log is renewed: what readers of it missed, and how far each partition and each erasure is.

Revision: 0010, after 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for g in (0, 1):
        for name in ("missed_from", "missed_to"):
            op.add_column(f"rm{g}_offsets", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
        op.add_column(f"rm{g}_bounces", sa.Column("ticket_id", sa.String(64)))  # filled by a rebuild (FORM 5)
    op.create_table(
        "log_renewals",
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("command_id", sa.String(64)),
        sa.Column("asked_at", sa.BigInteger()),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("renewed_to", sa.BigInteger()),
        sa.Column("problem", sa.Text(), nullable=False),
    )
    op.add_column("erasures", sa.Column("unreadable_at", sa.BigInteger()))
    op.add_column("erasures", sa.Column("gone_at", sa.BigInteger()))


def downgrade() -> None:
    with op.batch_alter_table("erasures") as batch_op:
        batch_op.drop_column("gone_at")
        batch_op.drop_column("unreadable_at")
    op.drop_table("log_renewals")
    for g in (0, 1):
        with op.batch_alter_table(f"rm{g}_offsets") as batch_op:
            batch_op.drop_column("missed_to")
            batch_op.drop_column("missed_from")
        with op.batch_alter_table(f"rm{g}_bounces") as batch_op:
            batch_op.drop_column("ticket_id")
