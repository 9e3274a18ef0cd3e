"""The same form twice is one wish; a changed one, one that was refused and one of a page that was loaded anew are others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from mailroom_console.pages.frame.once import FIELD, KEPT_S, Once, key_of
from mailroom_runtime.process.tasks import end
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

TEMPLATES = Path(__file__).parents[3] / "services/console/mailroom_console/templates"


class Handler:
    """Counts how often it was called; answers with `answers`, the last one again and again."""

    def __init__(self, *answers: tuple[Response, bool] | Exception) -> None:
        self.answers, self.calls = list(answers), 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> tuple[Response, bool]:
        self.calls += 1
        said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await self.gate.wait()
        if isinstance(said, Exception):
            raise said
        return said


def done(to: str = "/tokens") -> tuple[Response, bool]:
    return RedirectResponse(to, 303), True


def form(**fields: str) -> FormData:
    return FormData([(FIELD, "m1"), *fields.items()])


async def test_a_second_click_gets_the_answer_of_the_first() -> None:
    once, work, key = Once(lambda: 0.0), Handler(done(), done("/other")), key_of("s1", "/tokens", form(name="a"))
    work.gate.clear()
    both = [asyncio.create_task(once.answer(key, work)) for _ in range(2)]
    await asyncio.sleep(0)
    work.gate.set()
    first, second = await asyncio.gather(*both)
    assert first is second
    assert await once.answer(key, work) is first, "and so does a reload afterwards"
    assert work.calls == 1


@pytest.mark.parametrize(
    "nothing_done", [(Response(status_code=422), True), (RedirectResponse("/x", 303), False), ValueError("away")]
)
async def test_where_nothing_was_done_it_may_be_sent_again(nothing_done: tuple[Response, bool] | Exception) -> None:
    once, work, key = Once(lambda: 0.0), Handler(nothing_done, done()), key_of("s1", "/tokens", form())
    try:
        await once.answer(key, work)
    except ValueError:
        assert isinstance(nothing_done, ValueError)
    assert (await once.answer(key, work)).status_code == 303
    assert work.calls == 2


async def test_who_waits_for_one_that_fails_is_told_so() -> None:
    once, work, key = Once(lambda: 0.0), Handler(ValueError("away")), key_of("s1", "/tokens", form())
    work.gate.clear()
    both = [asyncio.create_task(once.answer(key, work)) for _ in range(2)]
    await asyncio.sleep(0)
    work.gate.set()
    said = await asyncio.gather(*both, return_exceptions=True)
    assert [type(one) for one in said] == [ValueError, ValueError]
    assert work.calls == 1


async def test_one_whose_reader_left_stops_nobody_else() -> None:
    once, work, key = Once(lambda: 0.0), Handler(done()), key_of("s1", "/tokens", form())
    work.gate.clear()
    first = asyncio.create_task(once.answer(key, work))
    await asyncio.sleep(0)
    await end(first)
    work.gate.set()
    assert (await once.answer(key, work)).status_code == 303


def test_any_other_field_place_person_or_page_is_another_wish() -> None:
    keys = [
        key_of("s1", "/tokens", form(name="a")), key_of("s1", "/tokens", form(name="b")),
        key_of("s2", "/tokens", form(name="a")), key_of("s1", "/canned", form(name="a")),
        key_of("s1", "/tokens", FormData([(FIELD, "m2"), ("name", "a")])),
        key_of("s1", "/tokens", FormData([(FIELD, "m1"), ("nam", "ea")])),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert key_of("s1", "/tokens", form(name="a")) == keys[0]
    assert key_of("s1", "/tokens", FormData({"name": "a"})) is None


async def test_it_is_bounded_in_number_and_time() -> None:
    now = [0.0]
    once = Once(lambda: now[0])
    work: Callable[[], Awaitable[tuple[Response, bool]]] = Handler(done())
    for number in range(1000):
        await once.answer(key_of("s1", "/t", form(n=str(number))), work)
    assert len(once._known) <= 200
    now[0] = KEPT_S + 1
    await once.answer(key_of("s1", "/t", form(n="x")), work)
    assert len(once._known) == 1


def test_every_form_that_does_something_has_a_mark() -> None:
    """By the macro that gives it its CSRF token too, so that none is forgotten."""
    forms = 0
    for template in TEMPLATES.glob("*.html"):
        for part in template.read_text().split("<form")[1:]:
            head, _, rest = part.partition(">")
            if 'method="post"' in head:
                forms += 1
                assert "csrf_field(csrf)" in rest.split("</form>")[0], (template.name, head)
    assert forms > 40
