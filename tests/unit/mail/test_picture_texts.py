"""What a program writes into its plain text in the place of a picture is not what the person typed."""

from __future__ import annotations

import time

import pytest
from mailroom_mail import extract_reply, read

from .real_mail import case


def reply(text: str, html: str) -> str:
    raw = (
        "From: a@b.example\nIn-Reply-To: <x@acme.example>\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=q\n\n"
        f"--q\nContent-Type: text/plain; charset=utf-8\n\n{text}\n--q\nContent-Type: text/html; charset=utf-8\n\n{html}\n--q--\n"
    )
    return extract_reply(read(raw.encode())).text


def test_thunderbird() -> None:
    mail = case("programs", "thunderbird-image.eml")
    assert extract_reply(mail).text == "Here is a picture of my foot:"


@pytest.mark.parametrize("alt", ["foot", "Größe &amp; Farbe", "it's"])
@pytest.mark.parametrize("tag", ['<img src="cid:1" alt="{}">', "<IMG alt=\"{}\" src='cid:1'/>"])
def test_only_the_pictures_own_line_goes(alt: str, tag: str) -> None:
    said = alt.replace("&amp;", "&")
    html = f"<p>See {alt}:</p><p>{tag.format(alt)}</p><p>Kim</p>"
    assert reply(f"See {said}:\n\n{said}\n\nKim", html).split() == f"See {said}: Kim".split()


def test_what_is_typed_as_well_stays() -> None:
    assert reply("foot\n\nfoot", '<p>foot</p><img alt="foot">') == "foot\n\nfoot"
    assert reply("foot", '<img alt="foot">') == "foot", "never empty"


@pytest.mark.parametrize("piece", ["<img ", "<img alt=", "<img alt='", '<img alt="x">', " alt="])
def test_time_is_linear(piece: str) -> None:
    began = time.process_time()
    reply("x\n\ny", piece * 20_000)
    assert time.process_time() - began < 2.0
