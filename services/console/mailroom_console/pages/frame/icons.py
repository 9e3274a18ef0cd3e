"""Icons of our own, drawn on a 24 × 24 grid with strokes, as inline SVG so that no page waits for them."""

from __future__ import annotations

from markupsafe import Markup

_PATHS: dict[str, str] = {
    "inbox": '<path d="M3 13l3-8h12l3 8v6H3z"/><path d="M3 13h5l1.5 3h5L16 13h5"/>',
    "me": '<circle cx="12" cy="8" r="4"/><path d="M4 21c.7-4 3.8-6 8-6s7.3 2 8 6"/>',
    "unassigned": '<circle cx="12" cy="8" r="4" stroke-dasharray="3 2.2"/><path d="M4 21c.7-4 3.8-6 8-6s7.3 2 8 6" '
    'stroke-dasharray="3 2.2"/>',
    "clock": '<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3.5 2"/>',
    "warning": '<path d="M12 3.5L2.5 20h19z"/><path d="M12 10v4.5M12 17.4v.1"/>',
    "check": '<path d="M4.5 12.5l5 5L20 7"/>',
    "cross": '<path d="M6 6l12 12M18 6L6 18"/>',
    "plus": '<path d="M12 5v14M5 12h14"/>',
    "at": '<circle cx="12" cy="12" r="3.8"/><path d="M15.8 8.2v5.2c0 3.6 5.2 3 5.2-1.6A9 9 0 1 0 17 19.5"/>',
    "people": '<circle cx="9" cy="8.5" r="3.5"/><path d="M2.5 20c.5-3.6 3-5.5 6.5-5.5s6 1.9 6.5 5.5"/>'
    '<path d="M15.5 5.300a3.5 3.5 0 0 1 0 6.400M17.5 14.900c2.2.6 3.6 2.3 4 5.1"/>',
    "queue": '<path d="M4 6h16M4 12h16M4 18h10"/>',
    "activity": '<path d="M3 12h4l3-8 4 16 3-8h4"/>',
    "globe": '<circle cx="12" cy="12" r="9"/><path d="M3 12h18M12 3c5 5.5 5 12.5 0 18M12 3c-5 5.5-5 12.5 0 18"/>',
    "key": '<circle cx="8" cy="15" r="4.5"/><path d="M11.3 11.700L20 3M16.5 6.500l3 3"/>',
    "list": '<path d="M8 6h12M8 12h12M8 18h12M4 6v.1M4 12v.1M4 18v.1"/>',
    "search": '<circle cx="10.5" cy="10.5" r="6.5"/><path d="M15.5 15.500L21 21"/>',
    "paperclip": '<path d="M20 11.500l-8.3 8.300a5 5 0 0 1-7.1-7.100l8.8-8.800a3.4 3.4 0 0 1 4.8 4.800l-8.6 8.600a1.7 '
    '1.7 0 0 1-2.4-2.400l7.7-7.7"/>',
    "reply": '<path d="M10 6L4 12l6 6"/><path d="M4 12h9c4 0 7 2 7 7"/>',
    "note": '<path d="M5 4h14v10l-6 6H5z"/><path d="M13 20v-6h6M9 9h6"/>',
    "send": '<path d="M21 3L3 10.500l7 3 3 7z"/><path d="M21 3L10 13.5"/>',
    "info": '<circle cx="12" cy="12" r="9"/><path d="M12 11v5.500M12 7.500v.1"/>',
    "chevron": '<path d="M9 5l7 7-7 7"/>',
    "back": '<path d="M15 5l-7 7 7 7"/>',
    "more": '<circle cx="5.5" cy="12" r="1"/><circle cx="12" cy="12" r="1"/><circle cx="18.5" cy="12" r="1"/>',
    "trash": '<path d="M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5"/>',
    "pause": '<path d="M9 5v14M15 5v14"/>',
    "play": '<path d="M7 4.500v15l12-7.500z"/>',
    "refresh": '<path d="M20 12a8 8 0 1 1-2.3-5.700L20 8.5"/><path d="M20 3.500v5h-5"/>',
    "lock": '<rect x="5" y="10.5" width="14" height="10" rx="2"/><path d="M8 10.500V8a4 4 0 0 1 8 0v2.5"/>',
    "building": '<path d="M5 21V4h9v17M14 9h5v12M3 21h18M8 8h3M8 12h3M8 16h3"/>',
    "server": '<rect x="3.5" y="4" width="17" height="7" rx="1.5"/><rect x="3.5" y="13" width="17" height="7" '
    'rx="1.5"/><path d="M7 7.500v.1M7 16.500v.1"/>',
    "google": '<path d="M20.5 12.200c0 5-3.4 8.3-8.3 8.300a8.5 8.5 0 1 1 5.7-14.700M20.5 12.200h-8"/>',
    "microsoft": '<path d="M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z"/>',
    "download": '<path d="M12 4v11M7 10.500l5 5 5-5M4 20h16"/>',
    "code": '<path d="M8 7l-5 5 5 5M16 7l5 5-5 5"/>',
    "out": '<path d="M14 4h6v6M20 4l-9 9M18 14v6H4V6h6"/>',
    "shield": '<path d="M12 3l8 3v6c0 5-3.5 7.8-8 9-4.5-1.2-8-4-8-9V6z"/>',
    "copy": '<rect x="8" y="8" width="12" height="12" rx="2"/><path d="M16 8V4H4v12h4"/>',
    "leave": '<path d="M10 4H5v16h5M15 8l4 4-4 4M19 12H9"/>',
    "edit": '<path d="M4 20l1-4.500L16.5 4l3.5 3.500L8.5 19z"/>',
    "write-strong": '<path d="M7 4.500h6a3.7 3.7 0 0 1 0 7.400H7zM7 11.900h7a3.8 3.8 0 0 1 0 7.600H7z"/>',
    "write-em": '<path d="M10 4.500h7M7 19.500h7M14 4.500l-4 15"/>',
    "write-underline": '<path d="M7 4v7a5 5 0 0 0 10 0V4M5 20.500h14"/>',
    "write-strike": '<path d="M4 12h16M16.500 7.500C16 5.500 14 4.500 12 4.500c-2.500 0-4.500 1.200-4.500 3.500M7.500 16c.4 2.300 2.300 3.500 4.700 3.500 2.600 0 4.600-1.300 4.600-3.700"/>',
    "write-link": '<path d="M10 14a4 4 0 0 0 5.700 0l3.600-3.600a4 4 0 0 0-5.700-5.700l-1.300 1.300"/><path d="M14 10a4 4 0 0 0-5.700 0l-3.600 3.600a4 4 0 0 0 5.700 5.700l1.300-1.300"/>',
    "write-bullets": '<path d="M9 6h11M9 12h11M9 18h11"/><circle cx="4.500" cy="6" r=".9"/><circle cx="4.500" cy="12" r=".9"/><circle cx="4.500" cy="18" r=".9"/>',
    "write-numbers": '<path d="M10 6h10M10 12h10M10 18h10M3.500 4.500L5 4v4.500M3.500 14.500c.3-1.300 2.500-1.200 2.500.2 0 1.100-2.500 2-2.500 3.300H6"/>',
    "write-quote": '<path d="M4 5v14M8.500 7h11M8.500 12h11M8.500 17h7"/>',
    "write-picture": '<rect x="3.500" y="5" width="17" height="14" rx="2"/><circle cx="9" cy="10" r="1.500"/><path d="M4 17l5-4 3.500 3 3-2.500 4.500 4"/>',
    "write-clear": '<path d="M5 5h12M11 5l-1.500 7M8.500 19h3M14 14l6 6M20 14l-6 6"/>',
    "bell": '<path d="M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 20.500h4"/>',
}


def icon(name: str, title: str = "") -> Markup:
    """The icon as SVG: hidden from screen readers, unless it has a title of its own."""
    label = Markup('role="img" aria-label="{}"').format(title) if title else Markup('aria-hidden="true"')
    return Markup(
        '<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" '
        'stroke-linecap="round" stroke-linejoin="round" {}>{}</svg>'
    ).format(label, Markup(_PATHS[name]))  # noqa: S704 - a constant of this module


def logo() -> Markup:
    """The mark: a letter in its pigeonhole."""
    return Markup(
        '<svg viewBox="0 0 32 32" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" '
        'stroke-linejoin="round" aria-hidden="true"><rect x="3" y="5" width="26" height="22" rx="5"/>'
        '<path d="M8.5 12.500l7.5 6 7.5-6"/><path d="M3 21h7.500l2 2.600h7l2-2.600H29"/></svg>'
    )
