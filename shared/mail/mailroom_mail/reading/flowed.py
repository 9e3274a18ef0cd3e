"""format=flowed text (RFC 3676) as paragraphs."""

from __future__ import annotations

import re

MAX_LENGTH = 1 << 20  # characters; longer texts stay as their lines were sent

_LETTERS_MEET = re.compile(r"[a-z,] \n[ >]*[a-zA-Z]")


def unflow(text: str, *, delete_space: bool) -> str:
    """Join flowed lines of equal quote depth; `delete_space` is the parameter DelSp=yes (section 4.2)."""
    if len(text) > MAX_LENGTH:
        return text
    if delete_space and "  \n" not in text and _LETTERS_MEET.search(text):
        # Between words a sender of DelSp=yes leaves two spaces; one that never does only copied the parameter.
        delete_space = False
    out: list[str] = []
    pieces: list[str] = []
    open_depth = -1  # depth of the paragraph that the last line left open
    for line in text.split("\n"):
        bare = line.lstrip(">")
        depth = len(line) - len(bare)
        if bare.startswith(" "):  # space-stuffing, section 4.4
            bare = bare[1:]
        signature = bare == "-- "
        if open_depth >= 0 and (depth != open_depth or signature):
            out.append("".join(pieces))
            pieces, open_depth = [], -1
        if open_depth < 0 and depth:
            pieces.append(">" * depth + " ")
        if bare.endswith(" ") and not signature:
            pieces.append(bare[:-1] if delete_space else bare)
            open_depth = depth
        else:
            pieces.append(bare)
            out.append("".join(pieces))
            pieces, open_depth = [], -1
    if pieces:
        out.append("".join(pieces))
    return "\n".join(out)
