"""`mailroom keys`: make keys, and seal everything anew with the first one."""

from __future__ import annotations

import base64
import os
import secrets
from typing import Annotated

import typer

from .client import Api
from .output import AsJson, console, show

app = typer.Typer(help="Keys that seal secrets and sign Message-IDs.", no_args_is_help=True)


@app.command()
def new(key_id: Annotated[str, typer.Argument(help="Its id: letters and digits, k2 say.")]) -> None:
    """Print a new key, to be put first in MAILROOM_SECRET_KEYS or MAILROOM_MESSAGE_ID_KEYS."""
    print(f"{key_id}:{base64.b64encode(os.urandom(32)).decode()}")


@app.command()
def token() -> None:
    """Print a new token for MAILROOM_PLATFORM_TOKEN: a console that starts with it makes it valid."""
    print(f"mr_{secrets.token_urlsafe(32)}")


@app.command()
def rotate(as_json: AsJson = False) -> None:
    """Seal every stored secret anew with the first key of MAILROOM_SECRET_KEYS; then the old key can go."""
    answer = Api().post("/keys/rotate")
    if as_json:
        show(answer, True)
    else:
        console.print(f"{answer['rotated']} secrets sealed anew, {answer['current']} were current")
