"""Files of strangers handed out so that no browser runs them."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import Response

from mailroom_console.tickets.reading import File
from mailroom_console.uploads.records import file_name, media_type

SHOWN_INLINE = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_MAGIC = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
}


def download(file: File, *, inline: bool = False) -> Response:
    """Attachment, unless it is an image of a harmless kind that also begins like one. Never sniffed, never scripted."""
    kind = media_type(file.content_type)
    shown = inline and kind in SHOWN_INLINE and file.content.startswith(_MAGIC[kind])
    name = file_name(file.filename)
    ascii_name = name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_")
    return Response(
        file.content,
        media_type=kind if not kind.startswith("text/") else f"{kind}; charset=utf-8",
        headers={
            # RFC 6266 section 5: a plain name for old programs, the real one encoded
            "Content-Disposition": f'{"inline" if shown else "attachment"}; filename="{ascii_name}"; '
            f"filename*=UTF-8''{quote(name, safe='')}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'; img-src 'self'; frame-ancestors 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "private, max-age=3600",
        },
    )
