"""`mailroom tickets` and `mailroom rebuild`."""

from __future__ import annotations

from typing import Annotated

import typer

from .client import Api
from .output import AsJson, console, show

COLUMNS = ("number", "status", "subject", "customer", "assignee_id", "queue_id", "id")


def tickets(
    status: Annotated[str | None, typer.Option(help="open, pending or closed.")] = None,
    queue_id: Annotated[str | None, typer.Option("--queue", help="Queue id.")] = None,
    unassigned: Annotated[bool, typer.Option(help="Only tickets that nobody has.")] = False,
    search: Annotated[str | None, typer.Option("--search", "-q", help="Words in subject or text.")] = None,
    limit: Annotated[int, typer.Option(help="How many at the most.")] = 50,
    ticket: Annotated[str | None, typer.Argument(help="Show this one (id), with its messages.")] = None,
    as_json: AsJson = False,
) -> None:
    """List tickets, newest change first; or show one."""
    api = Api()
    if ticket:
        show(api.get(f"/tickets/{ticket}"), as_json)
        return
    rows = api.pages(
        "/tickets", limit=limit, status=status, queue_id=queue_id, unassigned=True if unassigned else None, q=search
    )
    show(list(rows), as_json, columns=COLUMNS, title="Tickets")


def rebuild(as_json: AsJson = False) -> None:
    """Rebuild the console's ticket tables from Kafka, while it keeps answering."""
    answer = Api().post("/rebuild")
    if as_json:
        show(answer, True)
    else:
        console.print("The ticket tables are being rebuilt beside the old ones; `mailroom doctor` shows how far it is.")
