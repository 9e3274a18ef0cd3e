"""`mailroom portal|address|queue|agent`: configuration through the console's API."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from .client import Api
from .output import AsJson, Failure, show

portal = typer.Typer(help="Portals: the companies that are served.", no_args_is_help=True)
person = typer.Typer(help="What is known of a person: export it, forget it.", no_args_is_help=True)
address = typer.Typer(help="Email addresses.", no_args_is_help=True)
queue = typer.Typer(help="Queues.", no_args_is_help=True)
agent = typer.Typer(help="Agents and their presence.", no_args_is_help=True)

ADDRESS_COLUMNS = ("id", "email", "kind", "active", "state", "state_reason", "prefer_online", "auto_reply")


@portal.command("list")
def portal_list(as_json: AsJson = False) -> None:
    """The portals that the token may see."""
    show(list(Api().pages("/portals")), as_json, columns=("id", "name", "domains"), title="Portals")


@portal.command("add")
def portal_add(
    name: str, domain: Annotated[list[str], typer.Option(help="Mail domain; can be given again.")],
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Add a portal with its mail domains."""
    show(Api().post("/portals", {"name": name, "domains": domain}), as_json)


@portal.command("delete")
def portal_delete(
    portal_id: str, name: Annotated[str | None, typer.Option(help="Its name, instead of being asked for it.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Delete a portal with everything of it: addresses, agents, tickets, files. Its name is asked for."""
    typed = name if name is not None else typer.prompt("Type the portal's name to delete it")
    show(Api().post(f"/portals/{portal_id}/delete", {"name": typed}), as_json)


@person.command("export")
def person_export(email: str, as_json: AsJson = False) -> None:
    """Everything that is known of one address: its tickets with their messages."""
    show(
        list(Api().pages("/people/export", email=email)), as_json, columns=("number", "subject", "status", "created_at")
    )


@person.command("erase")
def person_erase(email: str, as_json: AsJson = False) -> None:
    """Forget every ticket of one address. The address is asked for again."""
    if typer.prompt("Type the address again to forget all of it").strip().lower() != email.lower():
        raise Failure("that is another address: nothing was done")
    show(Api().post("/people/erase", {"email": email}), as_json)


@person.command("erasures")
def person_erasures(as_json: AsJson = False) -> None:
    """What was asked to be forgotten, how it stands, and what was removed."""
    columns = ("kind", "subject", "state", "asked_at", "done_at", "removed", "event_log")
    show(Api().get("/erasures")["items"], as_json, columns=columns, title="Erasures")


@address.command("list")
def address_list(as_json: AsJson = False) -> None:
    """Every address with how it stands."""
    show(list(Api().pages("/addresses")), as_json, columns=ADDRESS_COLUMNS, title="Addresses")


@address.command("add")
def address_add(
    email: Annotated[str, typer.Argument(help="The address; for an internal one the part before the @ will do.")],
    kind: Annotated[str, typer.Option(help="internal or smtp (Gmail is connected in the console).")] = "internal",
    queue_name: Annotated[str | None, typer.Option("--queue", help="Queue, by name or id.")] = None,
    full_name: str = "",
    prefer_online: bool = False,
    host: Annotated[str | None, typer.Option(help="SMTP host (kind smtp).")] = None,
    port: Annotated[int, typer.Option(help="SMTP port (kind smtp).")] = 587,
    tls: Annotated[str | None, typer.Option(help="implicit, starttls or none; worked out from the port.")] = None,
    username: str | None = None,
    password_env: Annotated[
        str, typer.Option(help="Variable that holds the SMTP password, so that it is in no command line.")
    ] = "MAILROOM_SMTP_PASSWORD",  # noqa: S107 - the name of a variable
    forwards_to: Annotated[str | None, typer.Option(help="Internal address it forwards to.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add an address. An SMTP account is tried with a real login first."""
    api = Api()
    body: dict[str, Any] = {
        "kind": kind,
        "full_name": full_name,
        "prefer_online": prefer_online,
        "queue_id": _queue_id(api, queue_name),
    }
    if kind == "internal":
        body["local_part"] = email.split("@")[0]
    elif kind == "smtp":
        if not host:
            raise Failure("an SMTP address needs --host")
        password = os.environ.get(password_env)
        if password is None:
            password = typer.prompt("Password", hide_input=True)
        body |= {"email": email, "password": password}
        body["smtp"] = {"host": host, "port": port, "username": username or email} | ({"tls": tls} if tls else {})
        if forwards_to:
            body["forwards_to"] = _address_id(api, forwards_to)
    else:
        raise Failure("--kind is internal or smtp; a Gmail address is connected in the console, with Google sign-in")
    show(api.post("/addresses", body), as_json)


@address.command("update")
def address_update(
    email: str,
    queue_name: Annotated[str | None, typer.Option("--queue", help="Queue, by name or id.")] = None,
    full_name: str | None = None,
    prefer_online: Annotated[bool | None, typer.Option("--prefer-online/--no-prefer-online")] = None,
    auto_reply: Annotated[bool | None, typer.Option("--auto-reply/--no-auto-reply")] = None,
    auto_reply_subject: str | None = None,
    auto_reply_content: str | None = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive")] = None,
    forwards_to: Annotated[str | None, typer.Option(help="Internal address it forwards to.")] = None,
    password_env: Annotated[str | None, typer.Option(help="Variable that holds a new SMTP password.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change an address; only what is given changes."""
    api = Api()
    found = _address(api, email)
    reply = dict(found["auto_reply"])
    for name, value in (("enabled", auto_reply), ("subject", auto_reply_subject), ("content", auto_reply_content)):
        if value is not None:
            reply[name] = value
    body: dict[str, Any] = {
        "queue_id": _queue_id(api, queue_name),
        "full_name": full_name,
        "prefer_online": prefer_online,
        "active": active,
        "auto_reply": reply if reply != found["auto_reply"] else None,
        "forwards_to": _address_id(api, forwards_to) if forwards_to else None,
    }
    if password_env:
        if password_env not in os.environ:
            raise Failure(f"the variable {password_env} is not set")
        body["password"] = os.environ[password_env]
    changes = {name: value for name, value in body.items() if value is not None}
    if not changes:
        raise Failure("nothing to change: see `mailroom address update --help`")
    show(api.patch(f"/addresses/{found['id']}", changes | {"revision": found["revision"]}), as_json)


@address.command("disable")
def address_disable(email: str, as_json: AsJson = False) -> None:
    """Neither receive nor send from now on; what was said stays."""
    api = Api()
    found = _address(api, email)
    show(api.patch(f"/addresses/{found['id']}", {"active": False, "revision": found["revision"]}), as_json)


@queue.command("list")
def queue_list(as_json: AsJson = False) -> None:
    """Every queue."""
    show(list(Api().pages("/queues")), as_json, columns=("id", "name", "agent_ids"), title="Queues")


@queue.command("add")
def queue_add(name: str, as_json: AsJson = False) -> None:
    """Add a queue."""
    show(Api().post("/queues", {"name": name}), as_json)


@agent.command("list")
def agent_list(as_json: AsJson = False) -> None:
    """Every agent with role and presence."""
    columns = ("id", "email", "name", "role", "presence", "queue_ids")
    show(list(Api().pages("/agents")), as_json, columns=columns, title="Agents")


@agent.command("add")
def agent_add(
    email: str,
    name: str = "",
    role: Annotated[str, typer.Option(help="administrator or agent.")] = "agent",
    queue_name: Annotated[list[str] | None, typer.Option("--queue", help="Queue; can be given again.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add an agent; they set a password with the link that the answer holds."""
    api = Api()
    queues = [_queue_id(api, each) for each in queue_name or []]
    show(api.post("/agents", {"email": email, "name": name or email, "role": role, "queue_ids": queues}), as_json)


@agent.command("online")
def agent_online(
    email: str, ttl: Annotated[float | None, typer.Option(help="Seconds; until changed when left out.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Set an agent online: waiting tickets are given out."""
    _presence(email, "online", ttl, as_json)


@agent.command("away")
def agent_away(email: str, as_json: AsJson = False) -> None:
    """Set an agent away: keeps tickets, gets no new ones."""
    _presence(email, "away", None, as_json)


@agent.command("offline")
def agent_offline(email: str, as_json: AsJson = False) -> None:
    """Set an agent offline."""
    _presence(email, "offline", None, as_json)


def _presence(email: str, presence: str, ttl: float | None, as_json: bool) -> None:
    api = Api()
    found = next((a for a in api.pages("/agents") if email.lower() in (a["email"].lower(), a["id"])), None)
    if found is None:
        raise Failure(f"no agent {email}: see `mailroom agent list`")
    body = {"presence": presence} | ({"ttl_s": ttl} if ttl is not None else {})
    answer = api.put(f"/agents/{found['id']}/presence", body)
    show(answer or {"id": found["id"], "presence": presence}, as_json)


def _address(api: Api, email: str) -> dict[str, Any]:
    for found in api.pages("/addresses"):
        if email.lower() in (found["email"].lower(), found["id"]):
            return found
    raise Failure(f"no address {email}: see `mailroom address list`")


def _address_id(api: Api, email: str) -> str:
    return str(_address(api, email)["id"])


def _queue_id(api: Api, name: str | None) -> str | None:
    if name is None:
        return None
    queues = list(api.pages("/queues"))
    for found in queues:
        if name.lower() in (found["name"].lower(), found["id"]):
            return str(found["id"])
    raise Failure(f"no queue {name}; there are: {', '.join(q['name'] for q in queues) or 'none'}")
