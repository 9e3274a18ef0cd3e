"""How long a portal's closed tickets are found by what a mail names.

Revision: 0008, after 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("portals", sa.Column("known_days", sa.Integer(), nullable=False, server_default="400"))


def downgrade() -> None:
    with op.batch_alter_table("portals") as batch:
        batch.drop_column("known_days")
