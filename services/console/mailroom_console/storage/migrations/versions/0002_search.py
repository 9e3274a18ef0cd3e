"""Full-text search: an FTS5 table beside each generation in SQLite, a tsvector column in PostgreSQL.

Revision: 0002, after 0001
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for generation in (0, 1):
        if op.get_bind().dialect.name == "sqlite":
            op.execute(
                f"CREATE VIRTUAL TABLE rm{generation}_search USING fts5("
                "scope, words, detail=full, tokenize='unicode61 remove_diacritics 2')"
            )
            op.execute(
                f"CREATE VIRTUAL TABLE rm{generation}_vocabulary_search USING fts5vocab(rm{generation}_search, row)"
            )
        else:
            op.execute(f"ALTER TABLE rm{generation}_tickets ADD COLUMN search tsvector")
            op.execute(f"CREATE INDEX ix_rm{generation}_search ON rm{generation}_tickets USING gin (search)")


def downgrade() -> None:
    for generation in (0, 1):
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"DROP TABLE rm{generation}_vocabulary_search")
            op.execute(f"DROP TABLE rm{generation}_search")
        else:
            op.execute(f"ALTER TABLE rm{generation}_tickets DROP COLUMN search")
