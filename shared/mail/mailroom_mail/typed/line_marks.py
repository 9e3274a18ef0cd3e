"""What a line of a mail is to the rules for replies: data that several of them share."""

from __future__ import annotations

OWN, BLANK, QUOTED, HEADER, FORWARDED = "o", " ", ">", "h", "f"
LINE = 1000  # characters of a line that are looked at
