"""The console's web pages. `mount` is all that the application needs to know of them."""

from __future__ import annotations

from .mounting import all_pages as all_pages
from .mounting import mount as mount

__all__ = ["all_pages", "mount"]
