"""The page that asks before something is deleted, and says why it cannot be; and the deleting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.responses import Response

from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.principals import CONFIG, Principal
from mailroom_console.problems import Problem

from .visit import Page, Visit


@dataclass(frozen=True, slots=True)
class Doomed:
    """What is to be deleted, in the reader's language: its name, its kind, what deleting means, and what is said then."""

    id: str
    name: str
    kind: str
    consequences: list[str]
    said: str


@dataclass(frozen=True, slots=True)
class Deletion:
    """Deleting things of one kind, which have their pages at `path`/ID. `afterwards` is where one lands."""

    section: str
    path: str
    find: Callable[[Visit], Awaitable[Doomed]]
    remove: Callable[[Console, Principal, str], Awaitable[None]]
    afterwards: str

    def pages(self) -> list[Page]:
        """The routes."""
        path = f"{self.path}/{{id}}/delete"
        return [Page("GET", path, self.ask, CONFIG), Page("POST", path, self.delete, CONFIG)]

    async def ask(self, visit: Visit, problem: Problem | None = None) -> Response:
        """What deleting means, before it is done; after a `problem` there is only the way back."""
        doomed = await self.find(visit)
        own = f"{self.path}/{doomed.id}"
        return await visit.show(
            "confirm.html", self.section, problem.status if problem else 200, title=say("Delete {name}?", name=doomed.name),
            back=own,
            problems=[problem.detail] if problem else [], consequences=doomed.consequences, action=f"{own}/delete",
            hidden={}, forbidden=problem is not None, confirm_text=say("Delete the {kind}", kind=doomed.kind),
        )  # fmt: skip

    async def delete(self, visit: Visit) -> Response:
        """Delete it."""
        doomed = await self.find(visit)
        try:
            await self.remove(visit.console, visit.who, doomed.id)
        except Problem as problem:
            return await self.ask(visit, problem)
        return visit.go(self.afterwards, doomed.said)
