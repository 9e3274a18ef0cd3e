"""The classes that a broker loads, kept read and linked for its next start (JEP 514's "AOT cache" of the Java runtime)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from broker import LIGHT, Broker, classes_file, ensure_jars


def keep_classes(timeout: float = 180.0) -> Path:
    """Start a broker once and keep the classes that it loaded, if that was not done: each later start takes 3.6 seconds
    of processor time instead of 6. Takes some 15 seconds; `make test`, which starts dozens of brokers, begins with it.

    Raises RuntimeError when no broker starts or nothing is kept within `timeout` seconds.
    """
    kept = classes_file(ensure_jars())
    if kept.exists():
        return kept
    with tempfile.TemporaryDirectory() as folder:
        partial = kept.with_name(f"{kept.name}.{os.getpid()}")
        plain = Broker(_free_port(), _free_port(), Path(folder), 384, (LIGHT,))
        plain.prepare()
        broker = replace(plain, java_options=(LIGHT, f"-XX:AOTCacheOutput={partial}", "-Xlog:aot=error"))
        output = Path(folder) / "output"
        try:
            _start_and_stop(broker, output, timeout)
            if not partial.exists():
                raise RuntimeError(f"Java kept no classes: {output.read_text()[-2000:]}")
            partial.replace(kept)
        finally:  # what an interrupted or failed run left
            partial.unlink(missing_ok=True)
            partial.with_name(f"{partial.name}.config").unlink(missing_ok=True)
    return kept


def _start_and_stop(broker: Broker, output: Path, timeout: float) -> None:
    """Start the broker, its words into the file `output`; stop it in order, which is when Java writes what it keeps."""
    with output.open("wb") as log, subprocess.Popen(broker.command(), stdout=log, stderr=log) as process:
        try:
            until = time.monotonic() + timeout
            while b"Kafka Server started" not in output.read_bytes():
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"Kafka did not start: {output.read_text()[-2000:]}")
                time.sleep(0.1)
            process.terminate()
            process.wait(timeout)
        finally:
            process.kill()


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def main() -> None:
    """`kept_classes.py`: keep them; without them everything works too, so that a failure is a line to read and no more."""
    try:
        keep_classes()
    except (OSError, RuntimeError, subprocess.SubprocessError) as problem:
        print(f"Kafka's classes could not be kept, each broker starts some seconds later: {problem}", file=sys.stderr)


if __name__ == "__main__":
    main()
