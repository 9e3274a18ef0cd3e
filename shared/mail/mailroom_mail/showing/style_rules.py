"""The simple rules of a mail's style elements written into the elements they match, so that the style elements can go.

Only selectors of a tag, a class or both are followed: that is what mail clients write (`p.MsoNormal`, `.button`, `td`).
"""

from __future__ import annotations

import re
from html import escape

MAX_LENGTH = 1 << 20  # longer documents keep only the styles that stand in their elements
MAX_RULES = 400

_STYLE = re.compile(r"<style\b[^>]*>(.*?)</style\s*>", re.DOTALL | re.IGNORECASE)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_RULE = re.compile(r"([^{}@]{1,400})\{([^{}]{1,2000})\}")
_SELECTOR = re.compile(r"([a-z][a-z0-9]*)?(?:\.([\w-]+))?", re.IGNORECASE)
_TAG = re.compile(r"<([a-zA-Z][a-zA-Z0-9]*)((?:\s[^<>\"']*(?:(?:\"[^\"<]*\"|'[^'<]*')[^<>\"']*){0,40})?)>")
_CLASS = re.compile(r"\sclass\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+))", re.IGNORECASE)
_OWN_STYLE = re.compile(r"(\sstyle\s*=\s*)(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+))", re.IGNORECASE)


def inline(html: str) -> str:
    """`html` with what its style elements say of single tags and classes in `style` attributes."""
    if len(html) > MAX_LENGTH or "<style" not in html.lower():
        return html
    rules = _rules(html)
    return _TAG.sub(lambda match: _styled(match, rules), html) if rules else html


def _rules(html: str) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for style in _STYLE.findall(html):
        css = _COMMENT.sub("", style.replace("<!--", "").replace("-->", ""))
        css = _without_at_rules(css)
        for selectors, declarations in _RULE.findall(css):
            for selector in selectors.split(","):
                match = _SELECTOR.fullmatch(selector.strip())
                if match is None or not match.group() or len(found) >= MAX_RULES:
                    continue
                key = ((match[1] or "").lower(), match[2] or "")
                found[key] = f"{found.get(key, '')}{declarations.strip().rstrip(';')};"[-2000:]
    return found


def _without_at_rules(css: str) -> str:
    """Media queries, fonts and imports are for browsers of other sizes and for the network: neither is here."""
    out: list[str] = []
    position = 0
    while (at := css.find("@", position)) >= 0:
        out.append(css[position:at])
        brace, semicolon = css.find("{", at), css.find(";", at)
        if brace < 0 or 0 <= semicolon < brace:
            position = semicolon + 1 if semicolon >= 0 else len(css)
            continue
        depth, position = 1, brace + 1
        while depth and position < len(css):
            opening, closing = css.find("{", position), css.find("}", position)
            if closing < 0:
                position = len(css)
            elif 0 <= opening < closing:
                depth, position = depth + 1, opening + 1
            else:
                depth, position = depth - 1, closing + 1
    out.append(css[position:])
    return "".join(out)


def _styled(match: re.Match[str], rules: dict[tuple[str, str], str]) -> str:
    tag, attributes = match[1].lower(), match[2]
    named = _CLASS.search(attributes)
    classes = (named[1] or named[2] or named[3] or "").split()[:10] if named else []
    # Less specific first, so that the more specific one wins as in CSS.
    said = rules.get((tag, ""), "")
    said += "".join(rules.get(("", name), "") for name in classes)
    said += "".join(rules.get((tag, name), "") for name in classes)
    if not said:
        return match.group()
    said = escape(said, quote=True)
    own = _OWN_STYLE.search(attributes)
    if own is None:
        return f'<{match[1]} style="{said}"{attributes}>'
    value = (own[2] or own[3] or own[4] or "").replace('"', "&quot;")
    return f'<{match[1]}{attributes[: own.start()]}{own[1]}"{said}{value}"{attributes[own.end() :]}>'
