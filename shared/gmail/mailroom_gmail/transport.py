"""httplib2, but what sends a mail goes over the wire once.

httplib2 repeats a request, POST too, when the server closes the connection instead of answering: it takes the connection
for one that had gone stale. A server that took the mail and closed before it answered would get it a second time.
"""

from __future__ import annotations

from http.client import BadStatusLine, HTTPResponse
from typing import TYPE_CHECKING, Any

import httplib2

SENDING = "/messages/send"  # in the path of each request that sends; the upload of a large mail has it too

if TYPE_CHECKING:
    from http.client import HTTPConnection as _Base
else:
    _Base = object


class _Once(_Base):
    """A closed connection is an error like any other where a mail was being sent."""

    _sending = False

    def request(self, method: str, url: str, *arguments: Any, **more: Any) -> None:
        self._sending = SENDING in url
        super().request(method, url, *arguments, **more)

    def getresponse(self) -> HTTPResponse:
        try:
            return super().getresponse()
        except BadStatusLine as error:
            if not self._sending:
                raise
            raise ConnectionAbortedError("the connection was closed before the answer") from error


class _Plain(_Once, httplib2.HTTPConnectionWithTimeout):
    pass


class _Encrypted(_Once, httplib2.HTTPSConnectionWithTimeout):
    pass


class Http(httplib2.Http):
    """As httplib2.Http. Raises ConnectionAbortedError where a mail may have been taken, though nobody said so."""

    def request(self, uri: str, *arguments: Any, **more: Any) -> Any:
        more["connection_type"] = _Encrypted if uri.startswith("https:") else _Plain
        return super().request(uri, *arguments, **more)
