"""`mailroom events`: writing the event log anew, so that it forgets what was erased."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from .client import Api
from .output import AsJson, Failure, show

app = typer.Typer(help="The event log, ticket.events.", no_args_is_help=True)
COLUMNS = ("partition", "state", "asked_at", "asked_by", "renewed_to", "problem")
EVERY_S = 1.0


@app.command()
def renew(
    partition: Annotated[int | None, typer.Option(min=0, help="This partition alone.")] = None,
    wait: Annotated[bool, typer.Option(help="Until it is done.")] = True,
    as_json: AsJson = False,
) -> None:
    """Write the event log anew without what was erased. The mail of a partition waits while it is copied."""
    api = Api()
    standing = api.post("/event-log/renew", {"partition": partition})
    mine = {row["partition"] for row in standing["partitions"] if partition in (None, row["partition"])}
    while wait and any(row["state"] == "asked" for row in _of(standing, mine)):
        time.sleep(EVERY_S)
        standing = api.get("/event-log")
    rows = _of(standing, mine)
    show(rows, as_json, columns=COLUMNS, title="Event log")
    if any(row["state"] == "failed" for row in rows):
        raise Failure("not all of it was renewed: nothing was deleted of what failed; see the problem, and ask again")


@app.command()
def status(as_json: AsJson = False) -> None:
    """When each partition was renewed, and what is under way."""
    show(Api().get("/event-log")["partitions"], as_json, columns=COLUMNS, title="Event log")


def _of(standing: dict[str, Any], partitions: set[int]) -> list[dict[str, Any]]:
    return [row for row in standing["partitions"] if row["partition"] in partitions]
