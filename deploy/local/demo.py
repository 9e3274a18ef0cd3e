"""`make demo`: starts what does not run, then tells the story of one customer's mail and leaves the stack running.

JSON=1 prints the facts as one JSON object on the last line. STACK=compose plays it against a stack that runs already
(docker compose): MAILROOM_URL, MAILROOM_TOKEN, MAILROOM_SMTP_PORT and MAILROOM_MAILBOX_PORT say where.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from typing import Any

from layout import Layout
from rich.console import Console
from rich.markup import escape
from stack import down, guarded, summary, up
from story import Story, StoryBroken


class Telling:
    """Steps as numbered lines, each with the time that it took."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._number = 0
        self._last = time.monotonic()

    def step(self, sentence: str, *facts: str) -> None:
        now = time.monotonic()
        self._number += 1
        self._console.print(f"[bold cyan]{self._number}[/] {sentence}  [dim]{now - self._last:.2f} s[/]")
        for fact in facts:
            self._console.print(textwrap.indent(escape(fact), "     "), style="dim")
        self._last = now


def tell(story: Story, console: Console) -> dict[str, Any]:
    """Play the story; what `make demo JSON=1` prints, without the addresses to look at."""
    telling = Telling(console)
    opening = story.opening()
    address, queue, agent = opening["address"], opening["queue"], opening["agent"]
    telling.step(f"[bold]{agent['name']}[/] is online in the queue [bold]{queue['name']}[/].", agent["email"])

    first = story.first_mail()
    customer = story.customer
    telling.step(
        f"[bold]{customer.name}[/] writes to [bold]{address['email']}[/]; the SMTP intake says 250.",
        f"From: {customer.email}\nSubject: {first['Subject']}",
    )

    ticket = story.ticket()
    if ticket["assignee_id"] != agent["id"]:
        raise StoryBroken(f"the ticket went to {ticket['assignee_id']}, but the agent online is {agent['id']}")
    telling.step(
        f"It is ticket [bold]{ticket['number']}[/] in [bold]{queue['name']}[/], assigned to [bold]{agent['name']}[/].",
        f"status {ticket['status']}, subject “{ticket['subject']}”",
    )

    reply = story.auto_reply()
    headers = {name.lower(): value for name, value in reply["headers"].items()}
    telling.step(
        "The automatic reply lies in the customer's mailbox.",
        f"Subject: {reply['subject']}\nAuto-Submitted: {headers.get('auto-submitted')}\n\n{reply['text'].strip()}",
    )

    second = story.second_mail(reply)
    held = story.ticket_with(second)
    if held["id"] != ticket["id"]:
        raise StoryBroken(f"the customer's answer opened ticket {held['number']} instead of joining {ticket['number']}")
    telling.step(
        f"The customer answers; it lands on the same ticket [bold]{held['number']}[/].",
        *(f"{m['direction']:4} {m['kind']:10} {_person(m['from'])}" for m in held["messages"]),
    )

    refused = story.forbidden_reply(ticket)
    telling.step(
        f"An agent's reply is refused ({refused['status']} {refused['code']}): the address only receives.",
        str(refused["detail"]),
    )
    return {
        "portal_domain": address["email"].partition("@")[2],
        "address": address["email"],
        "queue": queue["name"],
        "agent": agent["email"],
        "customer": customer.email,
        "ticket": {
            "id": ticket["id"],
            "number": ticket["number"],
            "assignee": agent["email"],
            "assignee_id": ticket["assignee_id"],
            "queue_id": ticket["queue_id"],
        },
        "auto_reply": {
            "subject": reply["subject"],
            "auto_submitted": headers.get("auto-submitted"),
            "to": reply["to"],
        },
        "second_message_ticket_id": held["id"],
        "refused": {"status": refused["status"], "code": refused["code"]},
    }


def demo(console: Console) -> None:
    began = time.monotonic()
    if os.environ.get("STACK") == "compose":
        layout = Layout.read(os.environ)
        token = os.environ.get("MAILROOM_TOKEN") or _compose_token()
    else:
        layout = up(console)
        token = layout.token_file.read_text().strip()
    api = os.environ.get("MAILROOM_URL") or layout.console_url
    console.rule("One customer's mail")
    story = Story(f"{api}/api/v1", token, ("127.0.0.1", layout.ports["smtp"]), layout.mailbox_url)
    try:
        facts = tell(story, console)
    except StoryBroken as error:
        sys.exit(f"The story broke: {error}")
    except KeyboardInterrupt:
        if os.environ.get("STACK") != "compose":
            down(console)
        raise
    console.rule(f"{time.monotonic() - began:.0f} s")
    summary(layout, console)
    orders = "`docker compose ps`, `docker compose logs`, `docker compose down`"
    if os.environ.get("STACK") != "compose":
        orders = "`make status`, `make logs`, `make down`"
    console.print(f"The stack goes on running: {orders}.")
    facts["urls"] = {
        "console": api,
        "ticket": f"{api}/tickets/{facts['ticket']['id']}",
        "api": f"{api}/api/v1",
        "mailbox": layout.mailbox_url,
    }
    if os.environ.get("JSON"):
        print(json.dumps(facts), flush=True)


def _person(found: Any) -> str:
    """A message's sender, whom the API gives as name and address."""
    return f"{found.get('name') or ''} <{found['email']}>".strip() if isinstance(found, dict) else str(found)


def _compose_token() -> str:
    """The API token that the console of the compose stack made at its first start."""
    command = ["docker", "compose", "exec", "-T", "console", "cat", "/data/api-token"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    guarded(demo)
