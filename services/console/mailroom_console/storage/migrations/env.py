"""Alembic's entry: runs on the connection that `database.alembic_config` hands over."""

from __future__ import annotations

from alembic import context
from mailroom_console.storage import read_schema
from mailroom_console.storage.schema import metadata

assert read_schema.GENERATIONS


def _ours(_object: object, name: str | None, kind: str, _reflected: bool, _compare_to: object) -> bool:
    """Full-text tables and their shadows are made by hand, Alembic does not know them."""
    by_hand = (kind in ("table", "index") and "_search" in (name or "")) or (kind == "column" and name == "search")
    return not by_hand


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_object=_ours,
    render_as_batch=True,
)
context.run_migrations()
