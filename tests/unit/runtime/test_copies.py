"""Which copies of a renewed log are new to a reader."""

from __future__ import annotations

import pytest
from mailroom_contracts import COPY_OF
from mailroom_runtime.bus.copies import NOTHING, Missed


@pytest.mark.parametrize(
    ("missed", "of", "new"),
    [
        (NOTHING, None, True),
        (NOTHING, 0, False),
        (Missed(0, 100), 0, True),  # who began at the new beginning
        (Missed(0, 100), 99, True),
        (Missed(0, 100), 100, False),  # a later renewal copies what it has read
        (Missed(40, 100), 39, False),
        (Missed(40, 100), 40, True),
        (Missed(40, 100), None, True),
    ],
)
def test_a_copy_is_new_when_what_it_is_a_copy_of_was_missed(missed: Missed, of: int | None, new: bool) -> None:
    headers = [("ce_id", b"1")] + ([] if of is None else [(COPY_OF, str(of).encode())])
    assert missed.is_new(headers) == new
