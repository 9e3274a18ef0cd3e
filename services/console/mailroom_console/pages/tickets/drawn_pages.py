"""Pages of a stranger's PDF or TIFF (a fax) as pictures. Pure; for a process of its own, which may be ended.

Looked at as pixels alone, a document can run nothing: neither script nor a form nor a link of it reaches the browser.
"""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from PIL import Image

AT_ONCE = 5  # pages, for each look
LAST_PAGE = 2000
DRAWING_S = 3.0  # no further page is begun afterwards; the process itself is ended later
WIDEST, HIGHEST = 1100, 2200  # pixels
ENLARGED = 2.0  # at most, against 72 pixels an inch
LARGEST_PIXELS = 50_000_000  # of a TIFF, unpacked: 200 MB
_PNG_UP_TO = 400_000  # bytes; what is longer is a photograph, and shorter as JPEG


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page. `picture` is None where it cannot be drawn."""

    number: int
    picture: bytes | None = None
    content_type: str = ""
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Drawn:
    """Some pages of a document, and how many it has. `trouble`: password, broken, too_large, or "" (all went well)."""

    count: int = 0
    sheets: list[Sheet] = field(default_factory=list)
    trouble: str = ""


class _Unreadable(Exception):
    """Says why: password, broken or too_large."""


class _Document(Protocol):
    def __len__(self) -> int: ...

    def page(self, index: int) -> Image.Image: ...


def drawn(content: bytes, first: int, most: int = AT_ONCE, now: Callable[[], float] = time.monotonic) -> Drawn:
    """The pages from `first` (1 is the first one): at most so many, and no more than there is time for."""
    until = now() + DRAWING_S
    try:
        # Pillow warns of what is odd in a file: a stranger's oddities are no news of ours
        with warnings.catch_warnings(action="ignore"), _opened(content) as document:
            count = min(len(document), LAST_PAGE)
            sheets: list[Sheet] = []
            for number in range(first, min(first + most, count + 1)):
                if sheets and now() > until:
                    break
                sheets.append(_sheet(document, number))
            return Drawn(count, sheets, "" if count else "broken")
    except _Unreadable as problem:
        return Drawn(trouble=str(problem))


def kind_of(content: bytes) -> str:
    """pdf, tiff, heic or "", by the first bytes: a PDF may have up to a kilobyte of something else before it."""
    if b"%PDF-" in content[:1024]:
        return "pdf"
    if content[:4] in (b"II*\0", b"MM\0*"):
        return "tiff"
    if content[4:8] == b"ftyp" and content[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"):
        return "heic"
    return ""


@contextmanager
def _opened(content: bytes) -> Iterator[_Document]:
    kind = kind_of(content)
    if kind == "pdf":
        with _pdf(content) as document:
            yield document
    elif kind == "tiff":
        yield _Tiff(content)
    else:
        raise _Unreadable("broken")


class _Pdf:
    def __init__(self, content: bytes) -> None:
        import pypdfium2  # here alone, so that no service loads it

        try:
            self.document = pypdfium2.PdfDocument(content)
        except pypdfium2.PdfiumError as problem:
            encrypted = problem.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD
            raise _Unreadable("password" if encrypted else "broken") from problem
        # without it, what somebody wrote into a form's fields is not drawn
        if self.document.get_formtype() != pypdfium2.raw.FORMTYPE_NONE:
            self.document.init_forms()

    def __len__(self) -> int:
        return len(self.document)

    def page(self, index: int) -> Image.Image:
        page = self.document[index]
        try:
            width, height = page.get_size()
            if min(width, height) <= 0:
                raise ValueError("a page without an area")
            scale = min(WIDEST / width, HIGHEST / height, ENLARGED)
            if min(width, height) * scale < 1:
                raise ValueError("a page that is a line")
            picture: Image.Image = page.render(scale=scale, rev_byteorder=True).to_pil().convert("RGB")
            return picture
        finally:
            page.close()


@contextmanager
def _pdf(content: bytes) -> Iterator[_Pdf]:
    opened = _Pdf(content)
    try:
        yield opened
    finally:
        opened.document.close()


class _Tiff:
    def __init__(self, content: bytes) -> None:
        from PIL import Image, UnidentifiedImageError

        try:
            self.file = Image.open(io.BytesIO(content), formats=["TIFF"])
            self.count: int = getattr(self.file, "n_frames", 1)
        except Image.DecompressionBombError as problem:
            raise _Unreadable("too_large") from problem
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, TypeError, KeyError) as problem:
            raise _Unreadable("broken") from problem

    def __len__(self) -> int:
        return self.count

    def page(self, index: int) -> Image.Image:
        from PIL import ImageOps

        self.file.seek(index)
        if self.file.width * self.file.height > LARGEST_PIXELS:
            raise ValueError("too many pixels")
        frame: Image.Image = self.file
        if frame.mode.startswith("I;16"):  # Pillow would cut what is above 255 off
            frame = frame.point(lambda value: value / 256).convert("L")
        picture = ImageOps.exif_transpose(frame).convert("RGB")
        picture.thumbnail((WIDEST, HIGHEST))
        return picture


def _sheet(document: _Document, number: int) -> Sheet:
    try:
        picture = document.page(number - 1)
    except (RuntimeError, OSError, ValueError, SyntaxError, TypeError, KeyError, EOFError, ArithmeticError):
        return Sheet(number)  # pypdfium2's error is a RuntimeError; Pillow raises all of the others for broken files
    content, kind = _packed(picture, "PNG"), "image/png"
    if len(content) > _PNG_UP_TO:
        content, kind = _packed(picture, "JPEG"), "image/jpeg"
    return Sheet(number, content, kind, picture.width, picture.height)


def _packed(picture: Image.Image, form: str) -> bytes:
    target = io.BytesIO()
    picture.save(target, form, quality=85) if form == "JPEG" else picture.save(target, form, compress_level=4)
    return target.getvalue()
