"""Uploads have a state, so that those which nothing used can be deleted.

Revision: 0003, after 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nobody wrote down which of those from before were used, so all count as used: they are never deleted.
    op.add_column("uploads", sa.Column("state", sa.String(length=20), nullable=False, server_default="used"))


def downgrade() -> None:
    with op.batch_alter_table("uploads") as batch_op:
        batch_op.drop_column("state")
