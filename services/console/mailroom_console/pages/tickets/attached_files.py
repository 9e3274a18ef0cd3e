"""The files of a message as a page lists them: their names, and how each can be looked at in place. Pure."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from typing import Any

from mailroom_console.languages import say

SHOWN_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
# in place, but not within a mail's frame
_ALSO_SHOWN = frozenset({"image/bmp", "image/x-ms-bmp", "image/jpg", "image/pjpeg", "image/x-png"})
_DRAWN = frozenset({"application/pdf", "application/x-pdf", "image/tiff", "image/tif", "image/heic", "image/heif"})
_UNTOLD = frozenset({"", "application/octet-stream", "application/download", "application/force-download"})
_BY_ENDING = {"pdf": "application/pdf", "tif": "image/tiff", "tiff": "image/tiff", "heic": "image/heic", "heif": "image/heif",
              "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
              "bmp": "image/bmp", "txt": "text/plain", "log": "text/plain", "csv": "text/csv", "md": "text/markdown",
              "ics": "text/calendar", "json": "application/json"}  # fmt: skip
_TEXTS = frozenset({"text/plain", "text/csv", "text/calendar", "text/markdown", "application/json", "text/x-log"})
_MESSAGES = frozenset({"message/rfc822", "message/global"})
_ENDINGS = {"message/rfc822": ".eml", "image/heic": ".heic", "image/heif": ".heif", "text/calendar": ".ics",
            "image/jpeg": ".jpg", "application/pgp-encrypted": ".asc"}  # fmt: skip


def preview(attachment: Mapping[str, Any], base: str) -> dict[str, str]:
    """How a file can be looked at in place: `preview` picture, text, sheets or "", and `preview_url`."""
    kind = str(attachment["content_type"]).lower().partition(";")[0].strip()
    if kind in _UNTOLD:  # what many programs say of everything: its name tells more
        kind = _BY_ENDING.get(str(attachment["filename"] or "").lower().rpartition(".")[2], kind)
    if kind in _DRAWN:
        return {"preview": "sheets", "preview_url": f"{base}/sheets/{attachment['index']}"}
    if kind in SHOWN_PICTURES or kind in _ALSO_SHOWN:
        return {"preview": "picture", "preview_url": f"{base}/pictures/{attachment['index']}"}
    if kind in _MESSAGES:
        return {"preview": "text", "preview_url": f"{base}/posts/{attachment['index']}"}
    if kind in _TEXTS:
        return {"preview": "text", "preview_url": f"{base}/texts/{attachment['index']}"}
    return {"preview": "", "preview_url": ""}


def nameless(content_type: str) -> str:
    """A name with the right extension for a file that has none."""
    kind = content_type.lower().partition(";")[0].strip()
    ending = _ENDINGS.get(kind) or mimetypes.guess_extension(kind) or ""
    return f"{say('picture') if kind.startswith('image/') else say('attachment')}{ending}"
