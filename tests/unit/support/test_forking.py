"""A service that was forked is for tests what one begun by an interpreter of its own is."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from support.forking import run
from support.processes import REPOSITORY, ServiceProcess
from support.waiting import wait_until

# Kafka is nowhere: the service tries on until it is ended.
ENV = {"MAILROOM_KAFKA": "127.0.0.1:9", "MAILROOM_LOG_FORMAT": "json"}


def begun(folder: Path, forked: bool, **env: str) -> ServiceProcess:
    process = ServiceProcess("autoreply", {**ENV, "MAILROOM_DATA": str(folder), **env}, folder / "log", forked=forked)
    process.launch()
    return process


def test_what_it_says_and_its_status_are_those_of_an_interpreter(tmp_path: Path) -> None:
    said = []
    for forked in (False, True):
        process = begun(tmp_path / str(forked), forked, MAILROOM_KAFKA_SECURITY="nonsense")
        said.append((process.wait(60), process.output()))
    assert said[0] == said[1]
    assert said[0][0] > 0
    assert "MAILROOM_KAFKA_SECURITY" in said[0][1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_by_signals_with_the_status_of_an_interpreter(tmp_path: Path, number: signal.Signals) -> None:
    ends = []
    for forked in (False, True):
        process = begun(tmp_path / str(forked), forked)
        wait_until(lambda process=process: process.get("/health")[0] == 200, 20, what="a live service")
        process.signal(number)
        ends.append(process.wait(60))
        assert not process.running
    assert ends[0] == ends[1]


def test_it_has_the_environment_and_folder_given_and_can_be_paused(tmp_path: Path) -> None:
    process = begun(tmp_path, True)
    try:
        wait_until(lambda: process.get("/health")[0] == 200, 20, what="a live service")
        told = psutil.Process(process.pid)
        assert told.cwd() == str(REPOSITORY)
        assert os.readlink(f"/proc/{process.pid}/fd/0") == os.devnull
        assert os.readlink(f"/proc/{process.pid}/fd/2") == str(process.log)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
        process.pause()
        wait_until(lambda: told.status() == psutil.STATUS_STOPPED, 10, what="a pause")
        process.resume()
        wait_until(lambda: process.get("/health")[0] == 200, 10, what="a service that goes on")
    finally:
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not psutil.pid_exists(process.pid)


def test_two_begun_at_once_know_nothing_of_each_other(tmp_path: Path) -> None:
    first, second = begun(tmp_path / "1", True), begun(tmp_path / "2", True)
    try:
        for each in (first, second):
            wait_until(lambda each=each: each.get("/health")[0] == 200, 20, what="a live service")
        assert first.terminate() == 0
        assert second.running
    finally:
        first.kill()
        second.kill()


def test_a_command_that_is_run_ends_with_what_it_wrote_apart_and_its_status(tmp_path: Path) -> None:
    done = run("mailroom_autoreply", [], tmp_path, {**ENV, "MAILROOM_KAFKA_SECURITY": "nonsense"})
    assert done.returncode > 0
    assert "MAILROOM_KAFKA_SECURITY" in done.stdout + done.stderr
    assert "MAILROOM_KAFKA_SECURITY" not in done.stdout or "MAILROOM_KAFKA_SECURITY" not in done.stderr
    with pytest.raises(subprocess.TimeoutExpired):
        run("mailroom_autoreply", [], tmp_path, {**ENV, "MAILROOM_DATA": str(tmp_path)}, timeout=1)
    assert [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(tmp_path) and p.ppid() != os.getpid()] == []
