"""Nothing that people read escapes translation, and every catalogue has all of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, nodes
from mailroom_console import languages
from mailroom_console.addresses.provider_notes import NOTES
from mailroom_console.languages import LANGUAGES, chosen, count, keeping, reading, say
from mailroom_console.pages.frame import words
from mailroom_console.pages.frame.rendering import Renderer
from mailroom_runtime.smtp.presets import PRESETS

CONSOLE = Path(languages.__file__).resolve().parents[1]
TEMPLATES = sorted((CONSOLE / "templates").glob("*.html"))
SCRIPTS = sorted((CONSOLE / "static").glob("*.js"))
OTHERS = list(LANGUAGES)[1:]
_TAG = re.compile(r"</?[a-z]+[^>]*>")
_PERCENT = re.compile(r"%\((\w+)\)s")
_READ = ("aria-label", "title", "placeholder", "alt", "data-announce", "data-label", "data-new", "data-many", "label")
# Names, and examples of what one types in: the same in every language.
_SAME = re.compile(
    r"Mailroom|Google|Europe/Berlin|MAILROOM_\w+|\S+\.example\S*|MR-…|refund, vip|Mon-Fri 9:00-17:00|[\d-]+|nbsp|amp"
)


@pytest.mark.parametrize("language", OTHERS)
def test_every_catalogue_has_all_texts_and_no_others(language: str) -> None:
    catalogue = keeping.kept(language)
    wanted = {text if isinstance(text, str) else tuple(text) for _, text in keeping.texts()}
    have = {m.id if isinstance(m.id, str) else tuple(m.id): m for m in catalogue if m.id}
    assert wanted - have.keys() == set(), "python -m mailroom_console.languages.keeping"
    assert have.keys() - wanted == set()
    for message in have.values():
        texts = [message.id] if isinstance(message.id, str) else list(message.id)
        told = [message.string] if isinstance(message.string, str) else list(message.string or ())
        assert all(told), message.id
        assert not message.fuzzy
        for translation in told:
            _same_values(texts, translation)
            assert sorted(_TAG.findall(translation)) == sorted(_TAG.findall(texts[-1])), message.id


def _same_values(texts: list[str], translation: str) -> None:
    """A translation asks for no value that is not given, and leaves none out but the number of one thing."""
    if any(_PERCENT.search(text) for text in texts):
        assert set(_PERCENT.findall(translation)) <= set(_PERCENT.findall(texts[-1])), translation
        missing = set(_PERCENT.findall(texts[-1])) - set(_PERCENT.findall(translation))
    else:
        wanted = {name: (spec, how) for _, name, spec, how in Formatter().parse(texts[-1]) if name}
        asked = {name: (spec, how) for _, name, spec, how in Formatter().parse(translation) if name}
        assert asked.items() <= wanted.items(), translation
        missing = wanted.keys() - asked.keys()
    assert missing <= ({"n"} if len(texts) > 1 else set()), translation


class _Shown(HTMLParser):
    """Collects what a reader sees: text, and the attributes that are read out or shown."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in _READ and value]

    def handle_data(self, data: str) -> None:
        self.found.append(data)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_text_of_a_template_escapes_translation(template: Path) -> None:
    source = template.read_text()
    plain = re.sub(r"\{% trans.*?endtrans %\}|\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", source, flags=re.DOTALL)
    shown = _Shown()
    shown.feed(plain)
    blocks = re.findall(r"\{% block width %\}\w+", source)  # a class, not a text
    left = [_SAME.sub("", text) for text in shown.found]
    found = [text.strip() for text in left if re.search(r"[A-Za-z]{2,}", text)]
    assert [text for text in found if not any(text in block for block in blocks)] == []
    parsed = Environment(extensions=["jinja2.ext.i18n"]).parse(source)
    assert [text for text in _literals(parsed) if _is_words(text)] == []


def _literals(node: nodes.Node) -> Iterator[str]:
    """Texts in expressions that `_` is not asked for."""
    if (
        isinstance(node, nodes.Call)
        and isinstance(node.node, nodes.Name)
        and node.node.name in ("_", "gettext", "ngettext")
    ):
        return
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    for child in node.iter_child_nodes():
        yield from _literals(child)


def _is_words(text: str) -> bool:
    if text != text.strip() or _SAME.fullmatch(text):
        return False
    return bool(re.match(r"[A-Z][a-z]+", text) or re.search(r"[a-z]{2,} [a-z]{2,}", text))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_text_of_a_script_escapes_translation(script: Path) -> None:
    code = re.sub(r"^\s*//.*$| // .*$", "", script.read_text(), flags=re.MULTILINE)
    said = re.sub(r"say\((['`])(?:(?!\1).)*\1", "say(", code)
    literals = [text for _, text in re.findall(r"(['`])((?:(?!\1)[^\n\\]|\\.)*)\1", said)]
    assert [text for text in literals if re.match(r"[A-Z“][\w’-]+[ ,.:…]", text)] == [], "sentences"
    assert re.findall(r"(?:textContent = |announce\(|'aria-label', )['`][^'`]*[A-Za-z]{2}", said) == [], "words"


def test_the_page_brings_what_the_scripts_say() -> None:
    said = {str(text) for filename, text in keeping.texts() if filename.startswith("static/")}
    assert said == set(languages.SCRIPT_WORDS)
    with reading("de"):
        assert all(languages.script_words()[text] != text for text in said)
    assert languages.script_words() == {}, "English stands in them"


@pytest.mark.parametrize("path", sorted(CONSOLE.rglob("*.py")), ids=lambda path: str(path.relative_to(CONSOLE)))
def test_what_goes_wrong_is_said_in_the_language_of_who_asked(path: Path) -> None:
    if path.parent.name == "api":
        return  # for programs
    spoken = {"Problem": 2, "invalid": 1, "conflict": 1, "forbidden": 0, "not_found": 0, "go": 1}
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        position = spoken.get(name)
        if position is None or len(node.args) <= position:
            continue
        told = node.args[position]
        plain = isinstance(told, ast.JoinedStr) or (isinstance(told, ast.Constant) and told.value)
        assert not plain, f"line {told.lineno}: say(…)"


@pytest.mark.parametrize(
    "path", sorted((CONSOLE / "pages").rglob("*.py")), ids=lambda path: str(path.relative_to(CONSOLE))
)
def test_no_sentence_of_a_page_escapes_translation_on_its_way_through_a_name(path: Path) -> None:
    tree = ast.parse(path.read_text())
    said: set[ast.AST] = set()
    for node in ast.walk(tree):
        words_of = isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("say", "count", "mark")
        if words_of or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):  # or a docstring
            said.update(ast.walk(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in said:
            assert not re.fullmatch(r"[A-Z]\S* .*[.!?]", node.value), f"line {node.lineno}: say(…)"


def test_what_is_told_of_providers_is_in_the_catalogues() -> None:
    assert {preset.note for preset in PRESETS if preset.note} <= set(NOTES)
    with reading("de"):
        assert all(say(note) != note for note in NOTES)


@pytest.mark.parametrize(
    ("own", "accept", "language"),
    [
        ("", "", "en"), ("", "de", "de"), ("", "de-AT,de;q=0.9", "de"), ("", "vi-VN, en;q=0.5", "vi"), ("", "fr, de;q=0.3", "de"),
        ("", "en-GB,de;q=0.9", "en"), ("", "de;q=0, vi;q=0.1", "vi"), ("", "fr", "en"), ("", "*", "en"), ("vi", "de", "vi"), ("xx", "de", "de"),
        ("", "de;q=0.1, vi;q=0.9", "vi"), ("", "DE", "de"), ("", "de;q=nan", "en"), ("", ";;;,,,=", "en"),
    ],
)  # fmt: skip
def test_the_own_choice_goes_before_what_the_browser_would_rather_have(own: str, accept: str, language: str) -> None:
    assert chosen(own, accept) == language


@given(st.text(max_size=80), st.text(alphabet="devin-;q=0.1,* \t", max_size=600))
def test_no_header_breaks_the_choice(own: str, accept: str) -> None:
    assert chosen(own, accept) in LANGUAGES


def test_a_text_without_translation_is_english_and_the_context_ends() -> None:
    with reading("de"):
        assert say("Saved.") == "Gespeichert."
        assert say("Nobody ever wrote this {x}.", x=1) == "Nobody ever wrote this 1."
        with reading("vi"):
            assert say("Saved.") == "Đã lưu."
        assert say("Saved.") == "Gespeichert."
    assert say("Saved.") == "Saved."
    with reading("no-such"):
        assert say("Saved.") == "Saved."


@pytest.mark.parametrize(
    ("language", "amount", "told"),
    [("en", 1, "One ticket changed."), ("en", 1200, "1,200 tickets changed."), ("de", 1, "Ein Ticket geändert."),
     ("de", 1200, "1.200 Tickets geändert."), ("vi", 1, "Đã thay đổi 1 phiếu."), ("vi", 3, "Đã thay đổi 3 phiếu.")],
)  # fmt: skip
def test_one_and_many(language: str, amount: int, told: str) -> None:
    with reading(language):
        assert count(amount, "One ticket changed.", "{n} tickets changed.") == told


NOW = datetime(2026, 11, 30, 17, 30, tzinfo=UTC)  # Monday; in Vietnam it is Tuesday already


@pytest.mark.parametrize(
    ("language", "zone", "before", "told"),
    [
        ("en", "UTC", timedelta(hours=13), "04:30"), ("en", "Asia/Ho_Chi_Minh", timedelta(hours=13), "Mon 11:30"),
        ("de", "Europe/Berlin", timedelta(hours=13), "05:30"), ("de", "Europe/Berlin", timedelta(days=2), "Sa. 18:30"),
        ("de", "UTC", timedelta(minutes=5), "vor 5 min"), ("vi", "UTC", timedelta(minutes=5), "5 phút trước"),
        ("en", "UTC", timedelta(days=28), "2 Nov"), ("de", "UTC", timedelta(days=28), "2. Nov."),
        ("vi", "Asia/Ho_Chi_Minh", timedelta(days=28), "3 thg 11"), ("en", "UTC", timedelta(days=400), "26 Oct 2025"),
    ],
)  # fmt: skip
def test_times_are_the_readers(language: str, zone: str, before: timedelta, told: str) -> None:
    with reading(language):
        assert words.ago(NOW - before, NOW, ZoneInfo(zone)) == told


def test_the_full_time_names_its_zone() -> None:
    assert words.full_time(NOW, ZoneInfo("Asia/Ho_Chi_Minh")) == "1 Dec 2026, 00:30 +07"
    with reading("de"):
        assert words.full_time(NOW, ZoneInfo("Europe/Berlin")) == "30.11.2026, 18:30 CET"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_says_its_language_and_escapes_what_translators_wrote(language: str) -> None:
    page = Renderer()
    with reading(language):
        text = page.text(
            "error.html", {"me": None, "title": "<b>", "text": "", "back": "", "back_text": "", "csrf": ""}
        )
    assert f'<html lang="{language}">' in text
    assert "&lt;b&gt;" in text
