"""What can go wrong with a request, in words for people and a code for programs (RFC 9457)."""

from __future__ import annotations

from typing import Any

from mailroom_console.languages import mark, say

PROBLEM_TYPE = "application/problem+json"  # RFC 9457


class Problem(Exception):
    """A request that is not carried out."""

    def __init__(self, status: int, code: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.more = status, code, detail, more

    def body(self) -> dict[str, Any]:
        """The `application/problem+json` object."""
        return {"type": "about:blank", "title": TITLES.get(self.status, "Problem"), "status": self.status,
                "code": self.code, "detail": self.detail, **self.more}  # fmt: skip


TITLES = {
    400: mark("Bad request"),
    401: mark("Not signed in"),
    403: mark("Not allowed"),
    404: mark("Not found"),
    408: mark("Too slow"),
    409: mark("Conflict"),
    413: mark("Too large"),
    422: mark("Not valid"),
    429: mark("Too many requests"),
    502: mark("The other side failed"),
    503: mark("Not available"),
}


def not_found(what: str) -> Problem:
    """There is no such thing, or it is another portal's: nobody can tell which."""
    return Problem(404, "not_found", say("There is no such {what}.", what=say(what)))


def forbidden(detail: str) -> Problem:
    return Problem(403, "forbidden", detail)


def invalid(field: str, detail: str, code: str = "invalid") -> Problem:
    """A field that is not acceptable."""
    return Problem(422, code, detail, field=field)


def conflict(code: str, detail: str, **more: Any) -> Problem:
    return Problem(409, code, detail, **more)


def revision_conflict(current: int) -> Problem:
    """Somebody else changed it in the meantime."""
    return Problem(409, "revision_conflict",
                   say("Somebody else changed this in the meantime. Look at it again, then make your change."),
                   revision=current)  # fmt: skip
