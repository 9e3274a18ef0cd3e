"""When verdicts are looked up, and how a broken DNS is left alone."""

from __future__ import annotations

from typing import Any

import mailroom_mail
import pytest
from mailroom_ingest_smtp.authentication import DnsJudge, NoJudge
from mailroom_ingest_smtp.session import Delivery
from mailroom_ingest_smtp.settings import networks
from mailroom_mail import Verdicts
from mailroom_mail.trust.front_fields import is_local
from mailroom_runtime.intake import understand_now

UNDERSTOOD = understand_now(b"From: a@b.example\r\n\r\n", "a@b.example")


def delivery(client_ip: str = "9.9.9.9", *, front: bool = False) -> Delivery:
    return Delivery(b"From: a@b.example\r\n\r\n", "a@b.example", [], client_ip, "mx.b.example", False, False, front, 1)


class Lookups:
    """Stands in for the library: notes what it was asked, and takes its time."""

    def __init__(self, found: Verdicts, takes_s: float = 0.0) -> None:
        self.found, self.takes_s, self.now = found, takes_s, 0.0
        self.asked: list[dict[str, Any]] = []

    async def __call__(self, raw: bytes, **question: Any) -> Verdicts:
        self.asked.append(question)
        self.now += self.takes_s
        return self.found


def judge(monkeypatch: pytest.MonkeyPatch, lookups: Lookups, server: str = "127.0.0.1:53") -> DnsJudge:
    monkeypatch.setattr(mailroom_mail, "verdicts", lookups)
    return DnsJudge(
        server=server,
        timeout_s=3.0,
        authserv_ids={"mx.front.example"},
        fronts=networks("9.9.9.0/24"),
        clock=lambda: lookups.now,
    )


async def test_local_clients_are_looked_up_only_with_a_server_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    lookups = Lookups(Verdicts(spf="pass"))
    made = judge(monkeypatch, lookups, server="")
    assert (await made.verdicts(delivery("127.0.0.1"), UNDERSTOOD)).spf == "none"
    assert lookups.asked == []
    assert (await made.verdicts(delivery(), UNDERSTOOD)).spf == "pass"
    with_server = judge(monkeypatch, lookups)
    assert (await with_server.verdicts(delivery("127.0.0.1"), UNDERSTOOD)).spf == "pass"


async def test_only_a_front_server_may_bring_results(monkeypatch: pytest.MonkeyPatch) -> None:
    lookups = Lookups(Verdicts())
    made = judge(monkeypatch, lookups)
    await made.verdicts(delivery(), UNDERSTOOD)
    await made.verdicts(delivery(front=True), UNDERSTOOD)
    (direct, by_front) = lookups.asked
    assert (direct["authserv_trusted"], direct["is_front"], direct["client_ip"]) == ((), None, "9.9.9.9")
    assert by_front["authserv_trusted"] == ("mx.front.example",)
    assert [by_front["is_front"](ip) for ip in ("9.9.9.9", "10.0.0.1", "::1")] == [True, False, False]


async def test_dns_that_never_answers_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    lookups = Lookups(Verdicts(spf="temperror", dmarc="temperror"), takes_s=3.0)
    made = judge(monkeypatch, lookups)
    for _ in range(5):
        assert (await made.verdicts(delivery(), UNDERSTOOD)).spf == "temperror"
    assert len(lookups.asked) == 3
    lookups.now += 31
    lookups.takes_s = 0.0
    lookups.found = Verdicts(spf="pass")
    assert (await made.verdicts(delivery(), UNDERSTOOD)).spf == "pass"
    assert (await NoJudge().verdicts(delivery(), UNDERSTOOD)).source == "off"


@pytest.mark.parametrize(
    ("address", "local"),
    [("127.0.0.1", True), ("10.1.2.3", True), ("::1", True), ("fe80::1%eth0", True), ("::ffff:192.168.0.1", True),
     ("", True), ("8.8.8.8", False), ("2606:4700::1", False), ("::ffff:8.8.8.8", False)],
)  # fmt: skip
def test_local_addresses(address: str, local: bool) -> None:
    assert is_local(address) is local
