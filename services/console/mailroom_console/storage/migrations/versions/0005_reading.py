"""Agents have a language, and the time zone of their browser.

Revision: 0005, after 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("agents", sa.Column("language", sa.String(length=10), nullable=False, server_default=""))
    op.add_column("agents", sa.Column("zone", sa.String(length=64), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("agents") as batch_op:
        batch_op.drop_column("zone")
        batch_op.drop_column("language")
