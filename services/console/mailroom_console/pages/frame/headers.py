"""Security headers of every page (DESIGN section 6): a strict CSP without inline script or style, no framing."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)


def mail_policy(remote_images: bool) -> str:
    """The policy of a mail's own frame: no script, no request but images, inline style allowed (only here)."""
    images = "'self' data: https: http:" if remote_images else "'self' data:"
    return (
        f"default-src 'none'; img-src {images}; style-src 'self' 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'self'; sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
    )


# Pages of a document: pictures that stand in the page itself. Of our origin, or the browser would not send the cookie for more.
SHEETS_POLICY = (
    "default-src 'none'; img-src data:; style-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; "
    "sandbox allow-same-origin"
)
# A downloaded file that is opened after all may do nothing.
FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"


class SecurityHeaders:
    """Sets the headers where a route did not set stricter ones of its own. Leaves the API (/api/) alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", PAGE_POLICY)
                headers.setdefault("X-Frame-Options", "DENY")
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "same-origin")
                headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
                headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
                headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
            await send(message)

        await self._app(scope, receive, with_headers)
