"""The bytes between DATA and the lone dot (RFC 5321 sections 4.1.1.4 and 4.5.2). Pure: bytes in, content out.

Only CR LF "." CR LF ends a mail. What other servers might take for the end (a dot between lone CRs or LFs, "SMTP
smuggling") is found and refused, so that no two servers can disagree about where a mail ends.
"""

from __future__ import annotations

import re

END = b"\r\n.\r\n"
# NULs are in it because some servers drop them before they look for the end
_ALMOST_END = re.compile(rb"[\r\n]\x00*\.\x00*[\r\n]")
_SLACK = 65_536  # dots that were stuffed do not count for the size, so the exact check comes at the end


class MailData:
    """Collects one mail. Feed it until it gives back what follows the mail.

    `too_big`: more than `limit` bytes came, the content was thrown away on the way.
    `smuggling`: a lone CR or LF stands beside a dot; known as soon as it came.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # as if a line end stood before the first line, so that a dot there is a dot at the start of a line
        self._buffer = bytearray(b"\r\n")
        self._dotted = False  # whether a line of what was kept begins with a dot
        self.too_big = False
        self.smuggling = False

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._buffer)

    def discard(self) -> None:
        """Keep nothing any more, and only look for the end."""
        del self._buffer[: -len(END)]
        self._limit = -1

    def feed(self, chunk: bytes | bytearray) -> bytes | None:
        """Take bytes. None: the mail goes on; else what came after its end (pipelined commands, mostly nothing)."""
        buffer = self._buffer
        seen = len(buffer)
        buffer += chunk
        end = buffer.find(END, max(0, seen - len(END) + 1))
        if end >= 0:
            rest = bytes(buffer[end + len(END) :])
            del buffer[end + 2 :]
            self._look_for_smuggling(seen)
            return rest
        # the last bytes may be the beginning of the true end: looked at again with what follows
        tail = 1 if buffer.endswith(END[:-1]) else 0
        self._look_for_smuggling(seen, len(buffer) - tail)
        if self._limit < 0 or len(buffer) > self._limit + _SLACK:
            if self._limit >= 0:
                self.too_big = True
            self.discard()
        return None

    def _look_for_smuggling(self, seen: int, stop: int | None = None) -> None:
        start = max(0, seen - 64)
        window = self._buffer if start == 0 and stop is None else self._buffer[start:stop]
        # bytes are looked for much faster than by the expression
        lines = b"\n." in window
        self._dotted = self._dotted or lines
        dotted = lines or b"\r." in window or (b"\0" in window and b"\0." in window)
        if dotted and _ALMOST_END.search(window):
            self.smuggling = True

    def content(self) -> bytes:
        """The mail as the client sent it, without the stuffed dots; once only. Decides about `too_big`."""
        buffer = self._buffer.replace(b"\r\n.", b"\r\n") if self._dotted else self._buffer
        self._buffer = bytearray()
        if len(buffer) - 2 > self._limit:
            self.too_big = True
            return b""
        with memoryview(buffer) as view:  # a mail of 50 MB is not copied more often than needed
            return bytes(view[2:])


def has_bare_newlines(content: bytes) -> bool:
    """Whether a CR or an LF stands alone (RFC 5321 section 2.3.8)."""
    pairs = content.count(b"\r\n")
    return content.count(b"\n") != pairs or content.count(b"\r") != pairs
