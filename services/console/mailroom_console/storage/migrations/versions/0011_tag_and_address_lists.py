"""Lists of a tag and of an address walk an index of their own: with 1,000,000 tickets those of others took a second.

Revision: 0011, after 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for g in (0, 1):
        tickets, tags = f"rm{g}_tickets", f"rm{g}_tags"
        op.create_index(f"ix_rm{g}_address_place", tickets, ["portal_id", "address_id", "place", "updated_at", "seq"])
        op.add_column(tags, sa.Column("seq", sa.BigInteger(), nullable=False, server_default="0"))
        op.add_column(tags, sa.Column("place", sa.String(20), nullable=False, server_default=""))
        op.add_column(tags, sa.Column("updated_at", sa.BigInteger(), nullable=False, server_default="0"))
        op.execute(
            f"UPDATE {tags} SET seq = t.seq, place = t.place, updated_at = t.updated_at FROM {tickets} t "  # noqa: S608
            f"WHERE t.id = {tags}.ticket_id"
        )
        op.drop_index(f"ix_rm{g}_tags", tags)
        op.create_index(f"ix_rm{g}_tag_place", tags, ["portal_id", "tag", "place", "updated_at", "seq"])


def downgrade() -> None:
    for g in (0, 1):
        op.drop_index(f"ix_rm{g}_address_place", f"rm{g}_tickets")
        op.drop_index(f"ix_rm{g}_tag_place", f"rm{g}_tags")
        with op.batch_alter_table(f"rm{g}_tags") as batch:
            for name in ("seq", "place", "updated_at"):
                batch.drop_column(name)
        op.create_index(f"ix_rm{g}_tags", f"rm{g}_tags", ["portal_id", "tag", "ticket_id"])
