"""The page that asks before something is deleted, and says why it cannot be."""

from __future__ import annotations

from starlette.responses import Response

from mailroom_console.languages import say
from mailroom_console.problems import Problem

from .visit import Visit


async def ask(
    visit: Visit, section: str, path: str, *, kind: str, name: str, consequences: list[str],
    problem: Problem | None = None,
) -> Response:  # fmt: skip
    """Ask whether to delete `name`, whose page is `path`; after a `problem` there is only the way back."""
    return await visit.show(
        "confirm.html", section, problem.status if problem else 200, title=say("Delete {name}?", name=name), back=path,
        problems=[problem.detail] if problem else [], consequences=consequences, action=f"{path}/delete", hidden={},
        forbidden=problem is not None, confirm_text=say("Delete the {kind}", kind=kind),
    )  # fmt: skip
