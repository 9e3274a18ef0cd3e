"""HTML of strangers made safe to show (nh3), with the looks of business mail kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import nh3

from . import html_depth, style_rules


@dataclass(frozen=True, slots=True)
class SafeHtml:
    """Sanitised HTML, and how many remote resources were left out."""

    html: str
    blocked_remote: int = 0


def sanitize(html: str, *, inline: Mapping[str, str] | None = None, remote_images: bool = False) -> SafeHtml:
    """Make `html` safe to show in a sandboxed frame.

    `inline` maps content ids (without brackets) to the addresses of the attachments they name. Remote images are left
    out, and counted, unless `remote_images`.
    """
    return _Cleaner(inline or {}, remote_images).clean(html)


_PRESENTATION = {"align", "valign", "bgcolor", "width", "height", "dir", "lang", "title", "style", "border"}
_TAG_NAMES = """
a abbr acronym address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del details
dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q rp
rt ruby s samp section small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr
"""
_TAGS = frozenset(_TAG_NAMES.split())
_ATTRIBUTES: dict[str, set[str]] = {
    "*": _PRESENTATION,
    "a": {"href", "name"},
    "img": {"src", "alt", "hspace", "vspace"},
    "font": {"color", "face", "size"},
    "table": {"cellpadding", "cellspacing", "summary", "rules", "frame"},
    "td": {"colspan", "rowspan", "nowrap", "headers", "scope"},
    "th": {"colspan", "rowspan", "nowrap", "headers", "scope"},
    "col": {"span"},
    "colgroup": {"span"},
    "ol": {"start", "type", "reversed"},
    "ul": {"type"},
    "li": {"type", "value"},
    "br": {"clear"},
    "hr": {"color", "noshade", "size"},
    "blockquote": {"cite", "type"},
    "q": {"cite"},
    "time": {"datetime"},
    "details": {"open"},
}
# Everything that paints and aligns; nothing that places an element outside its box, loads, animates or runs.
_CSS_NAMES = """
background-color border border-bottom border-bottom-color border-bottom-left-radius border-bottom-right-radius
border-bottom-style border-bottom-width border-collapse border-color border-left border-left-color border-left-style
border-left-width border-radius border-right border-right-color border-right-style border-right-width border-spacing
border-style border-top border-top-color border-top-left-radius border-top-right-radius border-top-style
border-top-width border-width box-sizing caption-side clear color direction display empty-cells float font font-family
font-size font-style font-variant font-weight height letter-spacing line-height list-style list-style-position
list-style-type margin margin-bottom margin-left margin-right margin-top max-height max-width min-height min-width
opacity overflow-wrap padding padding-bottom padding-left padding-right padding-top quotes table-layout text-align
text-decoration text-decoration-color text-decoration-line text-decoration-style text-indent text-overflow
text-transform unicode-bidi vertical-align white-space width word-break word-spacing word-wrap
"""
_CSS = frozenset(_CSS_NAMES.split())
_REMOTE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_DATA_IMAGE = re.compile(r"data:image/(?:png|gif|jpe?g|webp|bmp);base64,[A-Za-z0-9+/=\s]+", re.IGNORECASE)
_REMOTE_CSS = re.compile(r"url\s*\(|image-set\s*\(|@import", re.IGNORECASE)
_UNSAFE_CSS = re.compile(
    r"url\s*\(|image-set|expression|@import|javascript:|\\|/\*|-moz-binding|attr\s*\(|var\s*\(", re.IGNORECASE
)
_BACKGROUND = re.compile(r"(^|;)\s*background\s*:([^;]*)", re.IGNORECASE)
_COLOUR = re.compile(
    r"#[0-9a-f]{3,8}\b|rgba?\([\d\s.,%/]+\)|\b(?!none\b|no-repeat\b|repeat|scroll\b|center\b|top\b|left\b|url\b)"
    r"[a-z]{3,20}\b",
    re.IGNORECASE,
)
_NEGATIVE_MARGIN = re.compile(r"(?:^|;)\s*margin[a-z-]*\s*:[^;]*-\s*[\d.]", re.IGNORECASE)
MAX_LENGTH = 12 << 20
MAX_ATTRIBUTE = 8192  # characters of a link or a style; a picture within the mail has no limit of its own

# html5ever 0.40, which writes for nh3, looks for the next "<" or ">" of a text anew at each "&" and at each character
# whose UTF-8 begins with C2 (U+0080 to U+00BF, as the no-break space): a long text without "<" takes the square of its
# length. So one stands after every few of them, marked, and is taken out again. "<" before something else than a
# letter, "/", "!" or "?" is text, or a part of the value or name, wherever it stands (HTML Standard, section 13.2.5).
_MARK = "\ufdd0"  # a noncharacter: no text has it
_STOP, _WRITTEN_STOP = f"<{_MARK}", f"&lt;{_MARK}"
_SLOW = re.compile(r"((?:[^&\x80-\xbf]*+(?:[\x80-\xbf]|&[#0-9A-Za-z]*+;?+=?+)){16})|.+", re.DOTALL)


class _Cleaner:
    def __init__(self, inline: Mapping[str, str], remote_images: bool) -> None:
        self._inline = inline
        self._remote_images = remote_images
        self._blocked = 0

    def clean(self, html: str) -> SafeHtml:
        # lone surrogates are no text, and no library of another language takes them
        text = html[:MAX_LENGTH].replace("\0", "").encode("utf-8", "replace").decode("utf-8")
        html = style_rules.inline(html_depth.limit(text))
        cleaned = nh3.clean(
            _with_stops(html),
            tags=set(_TAGS),
            clean_content_tags={
                "script",
                "style",
                "title",
                "noscript",
                "template",
                "svg",
                "math",
                "iframe",
                "object",
                "embed",
                "xml",
                "textarea",
                "select",
                "audio",
                "video",
            },
            attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
            attribute_filter=self._filter,
            strip_comments=True,
            link_rel="noopener noreferrer nofollow",
            set_tag_attribute_values={"a": {"target": "_blank"}},
            url_schemes={"http", "https", "mailto", "tel", "ftp", "cid", "data", "blob"},
            filter_style_properties=set(_CSS),
        )
        return SafeHtml(cleaned.replace(_WRITTEN_STOP, ""), self._blocked)

    def _filter(self, tag: str, attribute: str, value: str) -> str | None:
        if attribute not in ("style", "src", "href", "cite"):
            return value
        value = value.replace(_STOP, "")
        if tag == "img" and attribute == "src":
            return self._image(value)
        if len(value) > MAX_ATTRIBUTE:
            return None
        if attribute == "style":
            return self._style(value)
        if attribute in ("href", "cite"):
            scheme = value.strip().partition(":")[0].lower()
            return value if scheme in ("http", "https", "mailto", "tel", "ftp") or value.startswith("#") else None
        return value

    def _style(self, value: str) -> str | None:
        unsafe = _UNSAFE_CSS.search(value)
        if unsafe and _REMOTE_CSS.search(value):
            self._blocked += 1
        if "background" in value.lower():
            value = _BACKGROUND.sub(_colour_only, value)
        if unsafe:
            value = ";".join(piece for piece in value.split(";") if not _UNSAFE_CSS.search(piece))
        if _NEGATIVE_MARGIN.search(";" + value):
            value = ";".join(piece for piece in value.split(";") if not _NEGATIVE_MARGIN.search(piece))
        return value or None

    def _image(self, value: str) -> str | None:
        value = value.strip()
        if value[:4].lower() == "cid:":
            wanted = value[4:].strip("<>")
            return self._inline.get(wanted) or self._inline.get(wanted.replace("%40", "@"))
        if _REMOTE.match(value):
            if self._remote_images:
                return value if len(value) <= MAX_ATTRIBUTE else None
            self._blocked += 1
            return None
        return value if _DATA_IMAGE.fullmatch(value) else None


def _with_stops(html: str) -> str:
    """`html` with a stop after every few of what is slow to write."""
    return _SLOW.sub(lambda few: few[0] + _STOP if few[1] else few[0], html.replace(_MARK, ""))


def _colour_only(match: re.Match[str]) -> str:
    """The shorthand may load images; its colour is kept."""
    colour = _COLOUR.search(match[2])
    return f"{match[1]}background-color:{colour.group()}" if colour else match[1]
