"""Search compares words that the console has folded itself, each with its portal: the full-text tables of SQLite take them
as they are. Both generations' are made anew; they are filled when the tables are rebuilt from ticket.events (FORM 4).

Revision: 0006, after 0005
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make("words, detail=full, tokenize='ascii'")


def downgrade() -> None:
    _make("scope, words, detail=full, tokenize='unicode61 remove_diacritics 2'")


def _make(columns: str) -> None:
    for g in (0, 1):
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"DROP TABLE rm{g}_vocabulary_search")
            op.execute(f"DROP TABLE rm{g}_search")
            op.execute(f"CREATE VIRTUAL TABLE rm{g}_search USING fts5({columns})")
            op.execute(f"CREATE VIRTUAL TABLE rm{g}_vocabulary_search USING fts5vocab(rm{g}_search, row)")
        else:
            op.execute(f"UPDATE rm{g}_tickets SET search = NULL")  # noqa: S608
