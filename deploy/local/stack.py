"""The local stack: `stack.py up|down|clean|status|logs|env`. The Makefile calls it; see layout.py for its settings."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from types import FrameType

from broker import JarsMissing, ensure_jars
from layout import Layout, WrongSetting
from processes import SERVICES, infrastructure, services
from readiness import NotReady, free_ports, settle_infrastructure, settle_services
from rich.console import Console
from rich.table import Table
from standing import standing
from supervision import Supervision

MOST_LOG_LINES = 60
TOPIC_TRIES = 3  # a broker that has just started on a busy machine may let one run out of time


def up(console: Console) -> Layout:
    """Start everything, or what is missing of it, and wait until each part is ready. Ctrl-C stops all of it."""
    layout = Layout.read(os.environ)
    supervision = Supervision(layout)
    if supervision.running:
        console.print("The stack runs already.")
        layout = Layout.running_or(os.environ)
    else:
        supervision.sweep()
        with console.status("Looking for Kafka …"):
            ensure_jars()
        free_ports(layout)
        layout.save()
    try:
        _start(layout, supervision, console)
    except (KeyboardInterrupt, NotReady) as error:
        if isinstance(error, KeyboardInterrupt):
            console.print("Stopping …")
        supervision.stop()
        raise
    return layout


def _start(layout: Layout, supervision: Supervision, console: Console) -> None:
    if not supervision.running:
        environment = layout.environment(os.environ)
        supervision.launch(infrastructure(layout), services(layout), environment)
    supervision.start(*(part.name for part in infrastructure(layout)))
    with console.status("Starting Kafka, Valkey and the mailbox …"):
        settle_infrastructure(layout, supervision, console)
    with console.status("Making the topics …"):
        _create_topics(layout)
    supervision.start_services()
    with console.status("Starting the services …"):
        settle_services(layout, supervision, console)


def _create_topics(layout: Layout) -> None:
    brokers = len(layout.brokers())
    copies = ["--replication", str(brokers)] if brokers > 1 else []  # a broker that is not heard yet is waited for
    command = [sys.executable, "-m", "mailroom_cli", "topics", "create", *copies]
    for _ in range(TOPIC_TRIES):
        done = subprocess.run(
            command,
            env=layout.environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return
        if "answer" not in done.stdout:  # Kafka does not, or fewer brokers do than copies need
            break
    raise NotReady(f"the topics could not be made:\n{done.stdout.strip()}")


def down(console: Console) -> None:
    """Stop everything, the services first. What the stack has stored stays."""
    supervision = Supervision(Layout.read(os.environ))
    if not supervision.running:
        supervision.sweep()
        console.print("The stack is not running.")
        return
    with console.status("Stopping …"):
        supervision.stop()
    console.print("Stopped. `make up` goes on where it was; `make clean` forgets it all.")


def clean(console: Console) -> None:
    """Stop everything and remove the data folder."""
    layout = Layout.read(os.environ)
    supervision = Supervision(layout)
    with console.status("Stopping …"):
        supervision.stop()
    ours = (layout.data / "run").exists() or (layout.data / "secrets.env").exists()
    if layout.data.exists() and not ours:
        sys.exit(f"{layout.data} was not made by the local stack (no run/ and no secrets.env in it): not removed")
    shutil.rmtree(layout.data, ignore_errors=True)
    console.print(f"Removed {layout.data}.")


def status(console: Console) -> None:
    """A table of every part; with JSON=1 one JSON object as the last line. Exit status 1 unless all is ready."""
    layout = Layout.running_or(os.environ)
    report = standing(layout, Supervision(layout))
    table = Table(box=None, header_style="bold")
    for column in ("part", "state", "where", "since"):
        table.add_column(column)
    for name, part in {**report["parts"], **report["services"]}.items():
        colour = {"ready": "green", "starting": "yellow", "waiting": "yellow"}.get(part["state"], "red")
        state = part["state"] + (f": {part['reason']}" if part.get("reason") else "")
        table.add_row(name, f"[{colour}]{state}[/]", part["url"], part.get("since", ""))
    console.print(table)
    if os.environ.get("JSON"):
        print(json.dumps(report), flush=True)
    states = [part["state"] for part in (*report["parts"].values(), *report["services"].values())]
    sys.exit(0 if all(state == "ready" for state in states) else 1)


def logs(console: Console) -> None:
    """The end of every part's log, followed when standard output is a terminal. ONLY=NAME shows one."""
    layout = Layout.running_or(os.environ)
    only = os.environ.get("ONLY", "")
    files = sorted(layout.logs.glob("*.log"))
    if only:
        files = [file for file in files if file.stem in only.split(",")]
    if not files:
        known = ", ".join(["kafka", "valkey", "mailbox", *SERVICES])
        sys.exit(f"no log in {layout.logs} for {only}; there can be: {known}" if only else f"no log in {layout.logs}")
    follow = ["-F"] if sys.stdout.isatty() or os.environ.get("FOLLOW") else []
    os.execvp("tail", ["tail", "-n", str(MOST_LOG_LINES), *follow, *map(str, files)])


def env(console: Console) -> None:
    """What a client beside the stack needs to find it, as `export` lines for a shell: no keys, nothing is made."""
    layout = Layout.running_or(os.environ)
    for name, value in sorted(layout.addresses(os.environ).items()):
        print(f"export {name}={shlex.quote(value)}")


def summary(layout: Layout, console: Console) -> None:
    """The addresses to look at, and who may look."""
    table = Table.grid(padding=(0, 2))
    table.add_row("Console", f"{layout.console_url}  (sign-in: {layout.data / 'admin-login.json'})")
    table.add_row("API", f"{layout.console_url}/api/v1  (token: {layout.token_file})")
    table.add_row("SMTP intake", f"127.0.0.1:{layout.ports['smtp']}  (write to support@acme.example)")
    table.add_row("Local mailbox", f"{layout.mailbox_url}  (takes what Mailroom sends)")
    table.add_row("Kafka, Valkey", f"{layout.bootstrap}, {layout.redis_url}")
    console.print(table)


def _up_and_tell(console: Console) -> None:
    summary(up(console), console)


COMMANDS: dict[str, Callable[[Console], None]] = {
    "up": _up_and_tell,
    "down": down,
    "clean": clean,
    "status": status,
    "logs": logs,
    "env": env,
}


def guarded(work: Callable[[Console], None]) -> None:
    """Run a command of the stack; what people can mend is one line, and Ctrl-C or SIGTERM stops orderly."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        # One is enough: a second one (make sends its own) must not break off the orderly stop.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        work(Console(soft_wrap=True, highlight=False))
    except (WrongSetting, JarsMissing, NotReady) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def main() -> None:
    command = COMMANDS.get(sys.argv[1] if len(sys.argv) == 2 else "")
    if command is None:
        sys.exit(f"usage: stack.py {'|'.join(COMMANDS)}")
    guarded(command)


if __name__ == "__main__":
    main()
