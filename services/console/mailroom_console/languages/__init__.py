"""The languages of pages and messages: which one somebody reads, and what a text is in it (gettext).

English is what stands in the code. The other languages are the catalogues beside this module; `catalogues.py` keeps them.
What a request is answered in stands in a context variable: `say` is called where a text is made, and everywhere a text
is only passed on. Programs that use the API are answered in English.
"""

from __future__ import annotations

from .chosen import LANGUAGES, chosen, current, reading
from .dates import day_and_month, full_day, number, weekday_and_time
from .saying import SCRIPT_WORDS, count, gettext, mark, ngettext, say, script_words

__all__ = [
    "LANGUAGES",
    "SCRIPT_WORDS",
    "chosen",
    "count",
    "current",
    "day_and_month",
    "full_day",
    "gettext",
    "mark",
    "ngettext",
    "number",
    "reading",
    "say",
    "script_words",
    "weekday_and_time",
]
