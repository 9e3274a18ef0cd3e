"""PDF and TIFF files for tests: whole, protected, damaged, and made to hurt."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence

from PIL import Image, ImageDraw

_ONE = (b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>")


def pdf(*pages: str) -> bytes:
    """A PDF with one line of large text on each page, and smaller lines below it."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for number, words in enumerate(pages):
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents {5 + 2 * number} 0 R"
            "/Resources<</Font<</F 3 0 R>>>>>>".encode()
        )
        head, *rest = words.translate({ord(c): f"\\{c}" for c in "()\\"}).split("\n")
        below = "".join(f" 0 -26 Td ({line}) Tj" for line in rest)
        drawn = f"BT /F 40 Tf 60 740 Td ({head}) Tj /F 15 Tf 0 -40 Td{below} ET 0.2 0.4 0.8 rg 60 715 475 6 re f"
        objects.append(_stream(drawn.encode("latin-1")))
    return _file(objects)


def page_of(box: str, drawing: bytes = b"1 0 0 rg 0 0 50 50 re f") -> bytes:
    """A PDF of one page with that media box."""
    page = f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents 4 0 R>>".encode()
    return _file([*_ONE, page, _stream(drawing)])


def protected_pdf() -> bytes:
    """A PDF that asks for a password (standard security handler, RC4 with 40 bits)."""
    lock = b"<</Filter/Standard/V 1/R 2/O<" + b"5a" * 32 + b">/U<" + b"a5" * 32 + b">/P -4>>"
    return _file([*_ONE, b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>", lock],
                 b"/Encrypt 4 0 R/ID[<00112233445566778899aabbccddeeff><00112233445566778899aabbccddeeff>]")  # fmt: skip


def pdf_that_unpacks_to(size: int) -> bytes:
    """A small PDF whose page is a stream that is packed twice, of so many bytes when unpacked."""
    packer = zlib.compressobj(9)
    million = b"\0" * 1_000_000
    first = packer.compress(million) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(million) + packer.flush(zlib.Z_FULL_FLUSH)
    twice = zlib.compress(first + again * (size // 1_000_000) + packer.flush(), 9)
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R>>"
    return _file([*_ONE, page, _stream(twice, b"/Filter[/FlateDecode/FlateDecode]")])


def pdf_with_script() -> bytes:
    """A PDF that runs script and goes elsewhere when it is opened, where a viewer lets it."""
    script = b"<</S/JavaScript/JS(app.alert\\(1\\);app.launchURL\\('https://evil.example'\\))>>"
    return _file([b"<</Type/Catalog/Pages 2 0 R/OpenAction 5 0 R>>", _ONE[1],
                  b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R>>", _stream(b"0 0 50 50 re f"), script])  # fmt: skip


def filled_form() -> bytes:
    """A PDF whose form has a field that is filled in, without an appearance that a program stored beside it."""
    return _file([
        b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[4 0 R]/NeedAppearances true/DA(/Helv 30 Tf 0 g)"
        b"/DR<</Font<</Helv 5 0 R>>>>>>>>", _ONE[1],
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 100]/Annots[4 0 R]>>",
        b"<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(MMMMMM)/Rect[10 10 290 90]/F 4/P 3 0 R/DA(/Helv 30 Tf 0 g)>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ])  # fmt: skip


def tiff(pages: int, size: tuple[int, int] = (800, 1100), mode: str = "L") -> bytes:
    """A TIFF (a fax, say) with the number of each page on it."""
    made: list[Image.Image] = []
    for number in range(1, pages + 1):
        picture = Image.new("L", size, 255)
        ImageDraw.Draw(picture).text((40, 40), f"Page {number}", fill=0)
        made.append(
            picture.convert("I").point(lambda v: v * 257).convert("I;16") if mode == "I;16" else picture.convert(mode)
        )
    target = io.BytesIO()
    made[0].save(
        target, "TIFF", compression="tiff_lzw" if mode != "I;16" else None, save_all=True, append_images=made[1:]
    )
    return target.getvalue()


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 100


def picture(form: str = "PNG") -> bytes:
    """A small blue picture."""
    target = io.BytesIO()
    Image.new("RGB", (300, 200), (40, 80, 200)).save(target, form)
    return target.getvalue()


def _stream(content: bytes, extra: bytes = b"") -> bytes:
    return b"<</Length %d" % len(content) + extra + b">>stream\n" + content + b"\nendstream "


def _file(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    out, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj" % number + one + b"endobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    tail = b"trailer<</Root 1 0 R/Size %d" % (len(objects) + 1) + trailer + b">>\nstartxref\n%d\n%%%%EOF" % len(out)
    return out + head + table + tail
