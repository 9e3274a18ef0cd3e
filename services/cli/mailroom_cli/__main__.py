"""The `mailroom` command: each command is a module of its own, wired here."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import typer
from dotenv import dotenv_values
from mailroom_runtime.bus import unreadable

from . import bus, configuration, dead, doctor, events, keys, parse, records, schemas, tickets
from .load.command import load_command
from .output import Failure, fail

app = typer.Typer(
    name="mailroom",
    help="The email channel of a helpdesk: look after it from a terminal.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(bus.app, name="topics")
app.add_typer(configuration.portal, name="portal")
app.add_typer(configuration.person, name="person")
app.add_typer(configuration.address, name="address")
app.add_typer(configuration.queue, name="queue")
app.add_typer(configuration.agent, name="agent")
app.add_typer(dead.app, name="dead")
app.add_typer(records.app, name="records")
app.add_typer(events.app, name="events")
app.add_typer(keys.app, name="keys")
app.add_typer(schemas.app, name="schemas")
app.command("tickets")(tickets.tickets)
app.command("rebuild")(tickets.rebuild)
app.command("doctor")(doctor.doctor)
app.command("load")(load_command)
app.command("parse")(parse.parse)


def main() -> None:
    """Run the command line; errors for people go to standard error, with exit status 1."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters of it is said in our own words
    unreadable.contain()
    local_stack()
    try:
        app()
    except Failure as failure:
        fail(str(failure))


def local_stack() -> None:
    """Beside a local stack its keys are at hand: take what the environment does not say from its secrets.env."""
    path = Path(os.environ.get("MAILROOM_DATA", ".data")) / "secrets.env"
    if path.is_file() and os.access(path, os.R_OK):
        for name, value in dotenv_values(path).items():
            if value is not None:
                os.environ.setdefault(name, value)


if __name__ == "__main__":
    main()
