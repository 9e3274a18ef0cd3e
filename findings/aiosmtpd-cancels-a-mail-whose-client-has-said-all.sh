#!/usr/bin/env bash
# aiosmtpd 1.4.6 (PyPI): a client that closes its sending side behind the final dot, and waits for the answer, gets none.
#
# One would expect a TCP connection of which one direction is closed (RFC 9293 section 3.6) to be answered still: the mail is
# there as a whole. The server takes the end of the input for the end of the client: it closes the connection at once and cancels
# handle_DATA wherever that waits, so a handler that was storing the mail stops half-way, and the client must send it again.
# Shell scripts, appliances and load generators that write everything and then read do this.
#
# Seen, with a handler that waits 0.2 s before it answers:
#   sending side left open: answer b'250 OK\r\n', the handler: begun, taken
#   sending side closed: answer b'', the handler: begun, cancelled
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check aiosmtpd==1.4.6 attrs==25.4.0 atpublic==6.0.2
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import queue
import socket

from aiosmtpd.controller import Controller


class Handler:
    def __init__(self) -> None:
        self.did: queue.Queue[str] = queue.Queue()

    async def handle_DATA(self, server, session, envelope):
        self.did.put("begun")
        try:
            await asyncio.sleep(0.2)  # as long as storing takes
        except asyncio.CancelledError:
            self.did.put("cancelled")
            raise
        self.did.put("taken")
        return "250 OK"


def sent(port: int, *, closing: bool) -> bytes:
    """The answer to one mail."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, connection.makefile("rb") as answers:
        answers.readline()
        for command in ("HELO c.example", "MAIL FROM:<jo@c.example>", "RCPT TO:<info@d.example>", "DATA"):
            connection.sendall(command.encode() + b"\r\n")
            answers.readline()
        connection.sendall(b"Subject: Order\r\n\r\nWhere is it?\r\n.\r\n")
        if closing:
            connection.shutdown(socket.SHUT_WR)
        return answers.readline()


with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
handler = Handler()
controller = Controller(handler, hostname="127.0.0.1", port=port)
controller.start()
seen = []
try:
    for closing in (False, True):
        answer = sent(port, closing=closing)
        did = [handler.did.get(timeout=10), handler.did.get(timeout=10)]
        seen.append((answer, did))
        print(f"sending side {'closed' if closing else 'left open'}: answer {answer!r}, the handler: {', '.join(did)}")
finally:
    controller.stop()
raise SystemExit(0 if seen == [(b"250 OK\r\n", ["begun", "taken"]), (b"", ["begun", "cancelled"])] else 1)
PYTHON
