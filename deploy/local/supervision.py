"""The process manager of the local stack: a supervisord whose configuration is generated, spoken to over a socket.

It starts a process that ended again, also after kill -9, keeps and rotates the logs, and stops all in order.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psutil
from layout import REPOSITORY, Layout
from processes import Part
from supervisor.xmlrpc import SupervisorTransport

GROUP = "services"
LOG_BYTES = 10_000_000


class Supervision:
    """The supervisord of one stack folder."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._config = layout.run / "supervisord.conf"
        socket = layout.run / "supervisor.sock"
        if len(str(socket)) > 100:  # the system's limit for socket names is 107 bytes
            digest = hashlib.sha256(str(layout.data).encode()).hexdigest()[:16]
            socket = Path(tempfile.gettempdir()) / f"mailroom-{os.getuid()}-{digest}.sock"
        self._socket = socket

    @property
    def running(self) -> bool:
        try:
            return bool(self._rpc().supervisor.getState()["statename"] == "RUNNING")
        except (OSError, HTTPException, xmlrpc.client.Error):
            return False

    def launch(self, infrastructure: list[Part], services: list[Part], environment: Mapping[str, str]) -> None:
        """Start supervisord, detached from the terminal; no part is started yet."""
        self._layout.run.mkdir(parents=True, exist_ok=True)
        self._layout.logs.mkdir(parents=True, exist_ok=True)
        self._config.write_text(self._configuration(infrastructure, services))
        self._socket.unlink(missing_ok=True)
        subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._config)],
            env=dict(environment),
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            check=True,
            start_new_session=True,
        )
        deadline = time.monotonic() + 20
        while not self.running:
            if time.monotonic() > deadline:
                raise RuntimeError(f"supervisord did not answer; see {self._layout.logs / 'supervisord.log'}")
            time.sleep(0.05)

    def start(self, *names: str) -> None:
        """Start parts that do not run; returns at once."""
        for name in names:
            if self.info(name)["statename"] not in ("RUNNING", "STARTING"):
                self._rpc().supervisor.startProcess(name, False)

    def start_services(self) -> None:
        for info in self.all():
            if info["group"] == GROUP and info["statename"] not in ("RUNNING", "STARTING"):
                self._rpc().supervisor.startProcess(f"{GROUP}:{info['name']}", False)

    def stop_part(self, name: str) -> None:
        """Stop one part, and leave it so; returns once it has ended."""
        self._rpc().supervisor.stopProcess(name)

    def info(self, name: str) -> dict[str, Any]:
        return next(info for info in self.all() if info["name"] == name)

    def all(self) -> list[dict[str, Any]]:
        """supervisord's own view of each part; empty when it does not run."""
        try:
            found = self._rpc().supervisor.getAllProcessInfo()
        except (OSError, HTTPException, xmlrpc.client.Error):
            return []
        assert isinstance(found, list)
        return found

    def stop(self) -> None:
        """Stop everything: the services together, then the rest, then supervisord; sweeps what was left behind."""
        if self.running:
            rpc = self._rpc()
            rpc.supervisor.stopProcessGroup(GROUP)
            rpc.supervisor.shutdown()
            deadline = time.monotonic() + 60
            while self._left() and time.monotonic() < deadline:
                time.sleep(0.1)
        self.sweep()
        self._socket.unlink(missing_ok=True)

    def sweep(self) -> None:
        """End what a killed supervisord left running. Only processes that carry this stack's mark are touched."""
        left = self._left()
        for process in left:
            _quietly(process.terminate)
        _, alive = psutil.wait_procs(left, timeout=15)
        for process in alive:
            _quietly(process.kill)
        psutil.wait_procs(alive, timeout=5)

    def _left(self) -> list[psutil.Process]:
        # Valkey writes its title over its environment, so it is known by the folder that it works in.
        mark, valkey = str(self._layout.data), str(self._layout.data / "valkey")
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("MAILROOM_STACK") == mark
                if ours or (process.name() == "valkey-server" and process.cwd() == valkey):
                    found.append(process)
            except (psutil.Error, OSError):  # another user's, or gone meanwhile
                continue
        return found

    def _rpc(self) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)

    def _configuration(self, infrastructure: list[Part], services: list[Part]) -> str:
        run, logs = self._layout.run, self._layout.logs
        sections = [
            f"[unix_http_server]\nfile={self._socket}\nchmod=0600",
            f"[supervisord]\nlogfile={logs / 'supervisord.log'}\nlogfile_maxbytes={LOG_BYTES}\nlogfile_backups=1\n"
            f"pidfile={run / 'supervisord.pid'}\nchildlogdir={logs}\nsilent=true\nminfds=1024",
            "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
            f"[group:{GROUP}]\nprograms={','.join(part.name for part in services)}\npriority=900",
        ]
        sections += [self._program(part, 100 + number) for number, part in enumerate(infrastructure)]
        sections += [self._program(part, 900) for part in services]
        return "\n\n".join(_escaped(section) for section in sections) + "\n"

    def _program(self, part: Part, priority: int) -> str:
        command = ["nice", "-n", str(part.nice), *part.command] if part.nice else part.command
        own = ",".join(f'{name}="{value}"' for name, value in part.environment.items())
        return (
            f"[program:{part.name}]\ncommand={shlex.join(command)}\ndirectory={REPOSITORY}\nenvironment={own}\n"
            f"priority={priority}\nautostart=false\nautorestart=true\nstartsecs=2\nstartretries=1000\n"
            f"stopsignal=TERM\nstopwaitsecs={part.stop_s}\nkillasgroup=true\nredirect_stderr=true\n"
            f"stdout_logfile={self._layout.logs / part.name}.log\n"
            f"stdout_logfile_maxbytes={LOG_BYTES}\nstdout_logfile_backups=3"
        )


def _escaped(section: str) -> str:
    return section.replace("%", "%%")


def _quietly(action: Any) -> None:
    try:
        action()
    except psutil.NoSuchProcess:
        return
