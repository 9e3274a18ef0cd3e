"""Who is let in, what is remembered of it, and the end."""

from __future__ import annotations

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st
from mailroom_ingest_smtp import replies
from mailroom_ingest_smtp.house import House
from mailroom_ingest_smtp.replies import Reply, accepted, summary


def test_limits_overall_and_of_one_client() -> None:
    house = House(limit=3, per_client=2, memory=0)
    assert house.admit("192.0.2.1") is None
    assert house.admit("192.0.2.1") is None
    assert house.admit("192.0.2.1") is replies.TOO_MANY_OF_CLIENT
    assert house.admit("192.0.2.2") is None
    assert house.admit("192.0.2.3") is replies.TOO_MANY_CONNECTIONS
    house.leave("192.0.2.1")
    assert house.admit("192.0.2.3") is None


def test_an_ipv6_client_is_its_network() -> None:
    house = House(limit=10, per_client=1, memory=0)
    assert house.admit("2001:db8:1:2::1") is None
    assert house.admit("2001:db8:1:2:ffff::9") is replies.TOO_MANY_OF_CLIENT
    assert house.admit("2001:db8:1:3::1") is None
    assert house.admit("::ffff:192.0.2.1") is None
    assert house.admit("192.0.2.1") is replies.TOO_MANY_OF_CLIENT


def test_front_servers_bring_everybodys_mail() -> None:
    house = House(limit=10, per_client=1, memory=0, fronts=[ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")])
    assert house.is_front("192.0.2.200")
    assert house.is_front("2001:db8::1")
    assert not house.is_front("198.51.100.1")
    assert not house.is_front("")
    assert [house.admit("192.0.2.1") for _ in range(3)] == [None] * 3
    assert house.admit("192.0.3.1") is None
    assert house.admit("192.0.3.1") is replies.TOO_MANY_OF_CLIENT


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.booleans()), max_size=60))
def test_counting_never_drifts(steps: list[tuple[str, bool]]) -> None:
    house = House(limit=5, per_client=3, memory=0)
    inside: list[str] = []
    for client, comes in steps:
        if comes:
            if house.admit(client) is None:
                inside.append(client)
        elif client in inside:
            house.leave(client)
            inside.remove(client)
        assert len(house) == len(inside) <= 5
        assert max((inside.count(c) for c in "abc"), default=0) <= 3


async def test_stopping_says_so_and_waits_for_the_last() -> None:
    house = House(limit=5, per_client=5, memory=0)
    told: list[str] = []
    take_off = house.on_stop(lambda: told.append("one"))
    house.on_stop(lambda: told.append("two"))
    take_off()
    assert house.admit("192.0.2.1") is None
    house.stop()
    assert told == ["two"]
    assert house.admit("192.0.2.2") is replies.STOPPING
    house.leave("192.0.2.1")
    await house.empty()


def test_memory_is_lent() -> None:
    house = House(limit=1, per_client=1, memory=100)
    assert house.hold(60)
    assert not house.hold(41)
    assert house.hold(40)
    house.hold(-60)
    assert house.held == 40


def test_one_reply_for_all_recipients_is_the_worst() -> None:
    assert summary([accepted("aa"), accepted("aa")]).text == "250 2.6.0 Accepted as aa"
    assert summary([accepted("aa"), accepted("bb")]).text == "250 2.6.0 Accepted as aa bb"
    assert summary([accepted("aa"), replies.LATER]) is replies.LATER
    assert summary([replies.LATER, Reply("550 5.0.0 no"), accepted("aa")]).text == "550 5.0.0 no"
