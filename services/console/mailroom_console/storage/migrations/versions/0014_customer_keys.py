"""Tickets' customers are compared as addresses are: one person's tickets belong together in whatever spelling they wrote.

Revision: 0014, after 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from mailroom_mail import comparable

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    for g in (0, 1):
        name = f"rm{g}_tickets"
        op.add_column(name, sa.Column("customer_key", sa.Text(), nullable=False, server_default=""))
        tickets = sa.table(name, sa.column("customer_email", sa.Text), sa.column("customer_key", sa.Text))
        email = tickets.c.customer_email
        op.execute(sa.update(tickets).values(customer_key=sa.func.lower(email)))
        others = connection.execute(sa.select(email).distinct().where(email.regexp_match("[^ -~]"))).scalars().all()
        for spelt in others:
            connection.execute(sa.update(tickets).where(email == spelt).values(customer_key=comparable(spelt)))
        op.drop_index(f"ix_rm{g}_customer", name)
        op.create_index(f"ix_rm{g}_customer", name, ["portal_id", "customer_key", "updated_at"])


def downgrade() -> None:
    for g in (0, 1):
        name = f"rm{g}_tickets"
        op.drop_index(f"ix_rm{g}_customer", name)
        op.create_index(f"ix_rm{g}_customer", name, ["portal_id", "customer_email", "updated_at"])
        with op.batch_alter_table(name) as batch:
            batch.drop_column("customer_key")
