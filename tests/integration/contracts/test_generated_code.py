"""Code that generators make of docs/contracts/mailroom.json gives every record back as it was.

Records: made from the models (300 of each), and those of `MAILROOM_TEST_RECORDS`, a file that tests fill with what real
services wrote (`tests/conftest.py`). Figures are in docs/subscribing.md.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from support.generated_code import GENERATORS, SAYS_SOMETHING_EMPTY, Generator, Line, differences
from support.made_records import made

pytestmark = pytest.mark.slow
MADE = 300


def written() -> list[Line]:
    """What services wrote while tests ran with MAILROOM_TEST_RECORDS."""
    path = os.environ.get("MAILROOM_TEST_RECORDS")
    if not path:
        return []
    given = (json.loads(line) for line in Path(path).read_text().splitlines())
    return [Line(each["model"], json.dumps(each["value"])) for each in given]


def _says_something_empty(line: Line) -> bool:
    value = json.loads(line.value)
    return any(f"{line.model}.{name}" in SAYS_SOMETHING_EMPTY and inner == [] for name, inner in value.items())


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("generator", GENERATORS, ids=lambda g: g.name)
def test_every_record_comes_back_as_it_was(generator: Generator, tmp_path: Path) -> None:
    if (problem := generator.missing()) is not None:
        pytest.skip(problem)
    real = written()
    lines = real + [line for line in made(MADE) if not _says_something_empty(line)]
    again = generator.write_again(tmp_path, lines)
    assert len(again) == len(lines)
    wrong: Counter[str] = Counter()
    unequal = 0
    for line, answer in zip(lines, again, strict=True):
        if answer.startswith("!"):
            found = [answer[:200]]
        else:
            found = differences(json.loads(line.value), json.loads(answer), line.model, generator.time_step)
        wrong.update(set(found))
        unequal += bool(found)
    types = len({line.model for line in lines})
    said = (
        f"{generator.name}: {len(lines) - unequal} of {len(lines)} records of {types} types ({len(real)} of services)"
    )
    print(said)
    assert not wrong, (said, wrong.most_common(30))
