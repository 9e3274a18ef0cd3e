"""The API as an application of its own: routes, errors as problems, OpenAPI."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from mailroom_runtime.process.logs import get_logger
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from mailroom_console.context import Console
from mailroom_console.problems import PROBLEM_TYPE, Problem

from . import activity_routes, configuration_routes, erasing_routes, handling_routes, ticket_routes

log = get_logger()
_CODES = {404: "not_found", 405: "method_not_allowed", 400: "bad_request"}


def build_api(console: Console) -> FastAPI:
    """The application to mount at /api/v1."""
    api = FastAPI(
        title="Mailroom", version="1", docs_url=None, redoc_url=None, openapi_url="/openapi.json",
        description="Email channel of a helpdesk. Send `Authorization: Bearer TOKEN`; a token belongs to one portal.",
        servers=[{"url": "/api/v1"}], root_path_in_servers=False,
    )  # fmt: skip
    api.state.console = console
    for routes in (configuration_routes, ticket_routes, handling_routes, activity_routes, erasing_routes):
        # not include_router: it adds nothing to them here, and works each out again at the first request, in 0.1 s
        api.router.routes.extend(routes.router.routes)
    api.add_exception_handler(Problem, problem_response)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _http)
    api.add_exception_handler(DBAPIError, _database)
    api.add_exception_handler(PoolTimeout, _database)
    return api


def answer(problem: Problem) -> JSONResponse:
    """A problem as RFC 9457 says."""
    headers = {"Cache-Control": "no-store"}
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="mailroom"'
    if "retry_after" in problem.more:
        headers["Retry-After"] = str(problem.more["retry_after"])
    return JSONResponse(problem.body(), problem.status, headers, media_type=PROBLEM_TYPE)


async def problem_response(_: Request, error: Any) -> JSONResponse:
    """The handler for `Problem`."""
    return answer(error)


async def _invalid(_: Request, error: Any) -> JSONResponse:
    """What pydantic found, without repeating values (passwords are among them)."""
    found = [
        {"field": ".".join(str(part) for part in e["loc"][1:]) or str(e["loc"][0]), "detail": e["msg"]}
        for e in error.errors()[:20]
    ]
    first = found[0] if found else {"field": "", "detail": "not valid"}
    return answer(Problem(422, "invalid", f"{first['field']}: {first['detail']}", field=first["field"], errors=found))


async def _http(_: Request, error: Any) -> JSONResponse:
    code = _CODES.get(error.status_code, "error")
    detail = "There is nothing at this address." if error.status_code == 404 else str(error.detail)
    return answer(Problem(error.status_code, code, detail))


async def _database(_: Request, error: Any) -> JSONResponse:
    log.error("console.database_failed", error=type(error).__name__)
    return answer(Problem(503, "database_unavailable", "The database does not answer. Try again later."))
