"""Presence that lasts until it is changed is kept, so that an emptied Redis can be given it again.

Revision: 0007, after 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("agents", sa.Column("presence", sa.String(length=10)))


def downgrade() -> None:
    with op.batch_alter_table("agents") as batch:
        batch.drop_column("presence")
