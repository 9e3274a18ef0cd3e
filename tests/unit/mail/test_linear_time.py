"""What a stranger sends costs linear time: every public function that text reaches, with every token of the code's own
patterns repeated. New functions and patterns are found by themselves (`support.input_functions`, `support.pattern_tokens`).

`make test` looks at each token in one shape and at small sizes, where a quadratic minute for a megabyte shows already;
`make test-all` takes the issue's whole range, another part of all of it each time, as much as a budget of time allows.
"""

from __future__ import annotations

import random
import re
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest
from mailroom_mail import classify, conversation_root, extract_reply, html_to_text, identity, read, sanitize
from mailroom_mail.reading.addresses import parse
from mailroom_mail.reading.pgp_armour import key_ids
from mailroom_runtime.forgotten import Forgotten
from mailroom_runtime.smtp.refusals import of_login
from support import doubling
from support.doubling import Slow, Unit
from support.input_functions import PACKAGES, PLACES, REASONS, Attack, all_tokens, attacks
from support.pattern_tokens import tokens

QUICK, WHOLE = (8 << 10, 32 << 10), (64 << 10, 1 << 20)
BUDGET_S = 120.0
ROOMS = [f"mailroom_mail.{room}" for room in ("kinds", "reading", "showing", "threads", "trust", "typed", "writing")]


def whole_way(raw: bytes) -> None:
    """What intake does with a mail."""
    mail = read(raw)
    classify(mail)
    extract_reply(mail)
    conversation_root(mail)
    identity(mail, raw)


def everywhere() -> list[Attack]:
    """A whole mail, at each place of it; and what pages and replies make of its HTML."""

    def at(make: Callable[[bytes], bytes]) -> Callable[[str], Callable[[], object]]:
        return lambda text: partial(whole_way, make(text.encode("utf-8", "surrogateescape")))

    ways = {f"a mail's {place}": at(make) for place, make in PLACES.items()}
    ways |= {"sanitize": lambda text: partial(sanitize, text), "html_to_text": lambda text: partial(html_to_text, text)}
    return [Attack(where, way, all_tokens()) for where, way in ways.items()]


def one_of(token: str, choices: Sequence[str | Unit | Attack], salt: str) -> str | Unit | Attack:
    """Always the same for a token, another for another."""
    return choices[zlib.crc32(f"{salt}{token}".encode("utf-8", "surrogatepass")) % len(choices)]


def pairs(all_attacks: list[Attack]) -> Iterator[tuple[Attack, Unit]]:
    """Each token of a module with one of the functions there, in one of the shapes; each function with some token."""
    rooms: dict[frozenset[str], list[Attack]] = {}
    for attack in all_attacks:
        rooms.setdefault(attack.tokens, []).append(attack)
    for words, room in rooms.items():
        for token in sorted(words):
            yield one_of(token, room, "of"), one_of(token, list(doubling.units(token)), "as")  # type: ignore[misc]
        for attack in room if words else ():
            yield attack, Unit(str(one_of(attack.where, sorted(words), "some")))


def sweep(some: Iterator[tuple[Attack, Unit]], sizes: tuple[int, int], until: float = float("inf")) -> list[str]:
    """What is too slow, once for each function and parameter."""
    found: dict[str, Slow] = {}
    for attack, unit in some:
        if attack.where in found:
            continue
        doublings = 2 if sizes == QUICK else 3
        slow = doubling.slow(attack.where, unit, attack.prepare, first=sizes[0], last=sizes[1], doublings=doublings)
        if slow is not None:
            found[attack.where] = slow
        if time.monotonic() > until:
            break
    return [str(slow) for slow in found.values()]


def by_themselves(*packages: str) -> list[Attack]:
    """Functions that take text, each with the tokens of its own module; those that take a mail are in `everywhere`."""
    return [attack for attack in attacks(*packages, own_only=True)[0] if not attack.of_mail]


def test_every_function_takes_linear_time_for_its_own_tokens() -> None:
    assert sweep(pairs(by_themselves(*PACKAGES)), QUICK) == []


def test_a_whole_mail_takes_linear_time_wherever_a_token_stands() -> None:
    ways = everywhere()
    some = (
        (one_of(token, ways, ""), one_of(token, list(doubling.units(token)), "x"))
        for token in sorted(all_tokens())
        if zlib.crc32(token.encode("utf-8", "surrogatepass")) % 3 == 0  # the others in `make test-all`
    )
    assert sweep(some, QUICK) == []  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("room", [*ROOMS, "the rest", "whole mails"])
def test_up_to_a_megabyte(room: str) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    if room == "whole mails":
        chosen = everywhere()
    else:
        chosen = attacks(*([p for p in PACKAGES if p != "mailroom_mail"] if room == "the rest" else [room]))[0]
    every = [(attack, unit) for attack in chosen for token in sorted(attack.tokens) for unit in doubling.units(token)]
    random.Random(seed).shuffle(every)
    assert sweep(iter(every), WHOLE, time.monotonic() + BUDGET_S) == []


FOUND: list[tuple[str, Unit, Callable[[str], object]]] = [
    *(("parse", Unit(between, before="jo@a.example", behind="x"), lambda text: parse(text, []))
      for between in (" ", "(a)", "\t", "\u2003")),
    *(("html_to_text", Unit(space, before="<p>a&nbsp;<br>b", behind="x"), html_to_text) for space in ("&nbsp;", "&nbsp;\t")),
    ("html_to_text", Unit(" ", before="<pre>a \nb", behind="x</pre>"), html_to_text),
    *(("sanitize", Unit(word, before=before), sanitize) for word in ("Prix\xa0: 9\xa0€ ", "Smith &amp; Co ")
      for before in ("<pre>", "<xmp>", "<p title='", "<p style='", "<a href='http://a.example/?")),
    ("key_ids", Unit("Hash: a\n"), key_ids),
    ("forgotten", Unit("a", behind=" @"), Forgotten("p1", "d").without),
    ("of_login", Unit("smtpclientauth"), partial(of_login, 535, token=False, told=None, private=False)),
]  # fmt: skip


@pytest.mark.parametrize(("where", "unit", "function"), FOUND)
def test_what_a_long_sweep_found_stays_linear(where: str, unit: Unit, function: Callable[[str], object]) -> None:
    """White space before dots or line ends that was looked for from each space of a run on; lists that were shortened from
    the front; what a word ends with, of any length; a long text in one element, written by nh3."""
    assert doubling.slow(where, unit, lambda text: partial(function, text), first=16 << 10, last=512 << 10) is None


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"<style\b[^>]*>.*?</style>", {"<style", "<stylea>"}),
        (rb"(?:abc|de+f)\s+$", {"abc", "d", "abc "}),
        (r"[^\s@]+@[a-z]", {"@", "a@"}),
    ],
)
def test_tokens_are_the_runs_and_the_beginnings_of_a_pattern(pattern: str | bytes, expected: set[str]) -> None:
    assert expected <= tokens(re.compile(pattern))


@pytest.mark.parametrize(
    ("pattern", "token", "bad"),
    [
        (r"<style[^>]*>.*?</style>", "<style>", True),
        (r"\s+$", " ", True),
        (r"(?<!\s)\s+$", " ", False),
        (r"a+b", "ab", False),
    ],
)
def test_the_sweep_sees_what_is_quadratic(pattern: str, token: str, bad: bool) -> None:
    compiled = re.compile(pattern, re.DOTALL)
    found = [
        doubling.slow("x", unit, lambda text: lambda: compiled.search(text), first=2 << 10, last=8 << 10)
        for unit in doubling.units(token)
    ]
    assert any(found) is bad


def test_every_function_that_takes_text_is_reached() -> None:
    """Whoever writes a function for mail gets it swept, or makes `support.neutral_values` able to call it, or says why not."""
    assert sorted(attacks(*PACKAGES)[1]) == sorted(REASONS)


def test_every_function_is_called_as_it_takes_its_parameters() -> None:
    answers = {attack.where: attack.prepare("jo@a.example")() for attack in by_themselves(*PACKAGES)}
    assert {where: said for where, said in answers.items() if isinstance(said, TypeError | AttributeError)} == {}
