"""Mails that wait for the index."""

from __future__ import annotations

from mailroom_router.parking import Parking


def test_they_wait_for_the_index_or_as_long_as_they_may() -> None:
    parking: Parking[str] = Parking(60)
    parking.park("first", 100.0)
    parking.park("second", 110.0)
    assert parking.due(159.9, rebuilding=True) == []
    assert parking.due(160.0, rebuilding=True) == ["first"]
    assert parking.waited("first")
    assert not parking.waited("second")
    assert len(parking) == 1
    assert parking.due(161.0, rebuilding=False) == ["second"]
    parking.gone("first")
    assert not parking.waited("first")
    assert parking.due(999.0, rebuilding=False) == []
