"""ingest_gmail as a process, with real Kafka: what is read of an inbox, and how it goes on after trouble."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from support.gmail_desk import MESSAGE_ID_KEYS, GmailDesk
from support.gmail_emulator import Emulator, mail
from support.gmail_proxy import Faults, Proxy
from support.processes import ServiceProcess
from support.waiting import eventually

SHOP, DESK = "shop@gmail.example", "desk@gmail.example"
START = Callable[..., ServiceProcess]


async def test_new_mail_of_the_inbox_and_nothing_else(
    desk: GmailDesk, emulator: Emulator, start_service: START
) -> None:
    emulator.deliver(SHOP, mail("old", "jo@c.example", SHOP))
    await desk.connect("ad1", SHOP)
    # between connecting and the first look mail comes in already
    emulator.deliver(SHOP, mail("early", "jo@c.example", SHOP))
    start_service("ingest_gmail", desk.env)
    await eventually(lambda: _has(desk, ["Question early"]), 20)
    for name, labels in (("spam", ["SPAM"]), ("trash", ["TRASH"]), ("draft", ["DRAFT"]), ("archived", ["UNREAD"])):
        emulator.deliver(SHOP, mail(name, "jo@c.example", SHOP), labels)
    emulator.deliver(SHOP, mail("plain", "Jo <jo@c.example>", SHOP))
    own = {"X-Mailroom-Id": "<t.1.k1.mac@x>"}
    emulator.write(SHOP, mail("ours", SHOP, "jo@c.example", headers=own))
    emulator.write(SHOP, mail("by hand", SHOP, "jo@c.example"))
    await eventually(lambda: _has(desk, ["Question by hand", "Question early", "Question plain"]), 20)
    received = {m.content.subject: m for m in await desk.received()}
    plain = received["Question plain"]
    assert (plain.source, plain.portal_id, plain.envelope.rcpt_to, plain.address_ids) == (
        "gmail",
        "p1",
        [SHOP],
        ["ad1"],
    )
    assert plain.gmail is not None
    assert (plain.gmail.address_id, plain.gmail.sent) == ("ad1", False)
    by_hand = received["Question by hand"].gmail
    assert by_hand is not None
    assert by_hand.sent
    assert [s.state for s in await desk.statuses("ad1")] == ["ok"]


async def test_mail_taken_out_of_spam_arrives_and_old_mail_moved_about_does_not(
    desk: GmailDesk, emulator: Emulator, start_service: START
) -> None:
    connected = datetime.now(UTC)
    old = emulator.deliver(SHOP, mail("old", "jo@c.example", SHOP), ["UNREAD"],
                           internalDate=str(int((connected - timedelta(days=3)).timestamp() * 1000)))["id"]  # fmt: skip
    await desk.connect("ad1", SHOP, gmail={"connected_at": connected})
    start_service("ingest_gmail", desk.env)
    spam = emulator.deliver(SHOP, mail("no spam", "jo@c.example", SHOP), ["SPAM"])["id"]
    await eventually(lambda: desk.cursors("ad1"), 20)
    emulator.relabel(SHOP, old, add=["INBOX"])
    emulator.relabel(SHOP, spam, add=["INBOX"], remove=["SPAM"])
    emulator.deliver(SHOP, mail("last", "jo@c.example", SHOP))
    await eventually(lambda: _has(desk, ["Question last", "Question no spam"]), 20)


async def test_a_label_can_be_chosen(desk: GmailDesk, emulator: Emulator, start_service: START) -> None:
    label = emulator.call(SHOP, "POST", "/gmail/v1/users/me/labels", json={"name": "Orders"})["id"]
    await desk.connect("ad1", SHOP, gmail={"label_ids": [label]})
    start_service("ingest_gmail", desk.env)
    emulator.deliver(SHOP, mail("inbox", "jo@c.example", SHOP))
    emulator.deliver(SHOP, mail("order", "jo@c.example", SHOP), [label])
    await eventually(lambda: _has(desk, ["Question order"]), 20)


async def test_a_big_mailbox_pages_tells_its_progress_and_loses_nothing_over_a_kill(
    desk: GmailDesk, emulator: Emulator, google: Proxy, start_service: START
) -> None:
    before = datetime.now(UTC) - timedelta(days=2)
    for number in range(620):
        moment = before + timedelta(seconds=number)
        emulator.deliver(SHOP, mail(number, "jo@c.example", SHOP), internalDate=str(int(moment.timestamp() * 1000)))
    await desk.connect("ad1", SHOP, gmail={"import_since": before - timedelta(hours=1)})
    service = start_service("ingest_gmail", desk.env)
    await eventually(lambda: _some(desk, 100), 30)
    service.kill()
    emulator.deliver(SHOP, mail("while down", "jo@c.example", SHOP))
    service.start()
    everything = sorted([f"Question {n}" for n in range(620)] + ["Question while down"])
    await eventually(lambda: _has(desk, everything), 60, every=1)
    assert any("pageToken" in q for q in google.queries)
    states = await desk.statuses("ad1")
    syncing = [s for s in states if s.state == "syncing"]
    assert syncing
    assert all(s.total is not None and 0 < (s.done or 0) <= s.total for s in syncing)
    await eventually(lambda: _state(desk, "ok"), 10)
    repeated = len(await desk.received()) - 621
    assert repeated <= 110, "only what was under way when it was killed may come twice"


async def test_expired_history_is_filled_by_a_bounded_listing(
    desk: GmailDesk, emulator: Emulator, google: Proxy, start_service: START
) -> None:
    long_ago = str(int((datetime.now(UTC) - timedelta(days=9)).timestamp() * 1000))
    emulator.deliver(SHOP, mail("long ago", "jo@c.example", SHOP), internalDate=long_ago)
    await desk.connect("ad1", SHOP)
    service = start_service("ingest_gmail", desk.env)
    emulator.deliver(SHOP, mail("a", "jo@c.example", SHOP))
    await eventually(lambda: _has(desk, ["Question a"]), 20)
    await eventually(lambda: desk.cursors("ad1"))
    service.terminate()
    for name in ("b", "c"):
        emulator.deliver(SHOP, mail(name, "jo@c.example", SHOP))
    emulator.deliver(SHOP, mail("spam", "jo@c.example", SHOP), ["SPAM"])
    google.forget_history(SHOP)
    service.start()
    emulator.deliver(SHOP, mail("d", "jo@c.example", SHOP))
    await eventually(lambda: _has(desk, [f"Question {n}" for n in "abcd"]), 30)
    assert "gmail.history_expired" in service.output()
    # "a" stands in the listing too, since it is within the margin: the same receipt, so nothing is doubled
    assert len({m.id for m in await desk.received() if m.content.subject == "Question a"}) == 1


async def test_a_revoked_account_stops_only_itself_and_reconnects_in_place(
    desk: GmailDesk, emulator: Emulator, google: Proxy, start_service: START
) -> None:
    await desk.connect("ad1", SHOP)
    await desk.connect("ad2", DESK)
    service = start_service("ingest_gmail", desk.env)
    emulator.deliver(SHOP, mail(1, "jo@c.example", SHOP))
    await eventually(lambda: _has(desk, ["Question 1"]), 20)
    google.revoke(SHOP)
    await eventually(lambda: _state(desk, "needs_attention"), 20)
    said = (await desk.statuses("ad1"))[-1]
    assert "revoked" in (said.reason or "")
    emulator.deliver(SHOP, mail(2, "jo@c.example", SHOP))
    emulator.deliver(DESK, mail(3, "jo@c.example", DESK))
    await eventually(lambda: _has(desk, ["Question 1", "Question 3"]), 20)
    google.calls.clear()
    service.terminate()
    service.start()
    await eventually(lambda: any(e == "" and p == "/oauth2/token" for e, _, p in google.calls), 20)
    assert [s.since for s in await desk.statuses("ad1") if s.state == "needs_attention"] == [said.since], "since when"
    google._revoked.clear()
    await desk.connect("ad1", SHOP, gmail={"start_history_id": None})
    await eventually(lambda: _has(desk, ["Question 1", "Question 2", "Question 3"]), 20)
    await eventually(lambda: _state(desk, "ok"), 10)
    assert "google_refresh" not in service.output()


async def test_retry_after_is_obeyed_and_stops_only_that_account(
    desk: GmailDesk, emulator: Emulator, google: Proxy, start_service: START
) -> None:
    await desk.connect("ad1", SHOP)
    await desk.connect("ad2", DESK)
    limited = {"error": {"code": 429, "message": "slow down", "errors": [{"reason": "rateLimitExceeded"}]}}
    google.blocked[SHOP] = (429, limited, {"Retry-After": "3"})
    start_service("ingest_gmail", desk.env)
    await eventually(lambda: _calls(google, SHOP) > 0, 20)
    first = time.monotonic()
    emulator.deliver(DESK, mail(1, "jo@c.example", DESK))
    await eventually(lambda: _has(desk, ["Question 1"]), 10)
    await eventually(lambda: _calls(google, SHOP) > 1, 10)
    assert time.monotonic() - first > 2.5
    google.blocked.clear()
    emulator.deliver(SHOP, mail(2, "jo@c.example", SHOP))
    await eventually(lambda: _has(desk, ["Question 1", "Question 2"]), 20)


async def test_the_cursor_moves_only_after_kafka_has_it_and_faults_lose_nothing(
    desk: GmailDesk, emulator: Emulator, google: Proxy, start_service: START
) -> None:
    await desk.connect("ad1", SHOP)
    google.faults = Faults(0.3, seed=11, longest_s=1.0)
    start_service("ingest_gmail", desk.env)
    for wave in range(5):
        for number in range(16):
            emulator.deliver(SHOP, mail(16 * wave + number, "jo@c.example", SHOP))
        so_far = [f"Question {n}" for n in range(16 * wave + 16)]
        await eventually(partial(_has, desk, so_far), 60, every=0.3)
    # how many calls there are, and so how many faults, depends on how fast the machine is
    assert google.faults.drawn


async def test_two_copies_share_the_accounts_and_one_takes_over(
    desk: GmailDesk, emulator: Emulator, google: Proxy, start_service: START
) -> None:
    accounts = 8
    for number in range(accounts):
        await desk.connect(f"ad{number}", SHOP if number % 2 else DESK)
    one = start_service("ingest_gmail", desk.env)
    other = start_service("ingest_gmail", desk.env)
    await eventually(
        lambda: _read_by(one) + _read_by(other) == accounts and min(_read_by(one), _read_by(other)) > 0, 30
    )
    one.kill()
    killed = time.monotonic()
    await eventually(lambda: _read_by(other) == accounts, 30)
    assert time.monotonic() - killed < 20
    emulator.deliver(SHOP, mail(1, "jo@c.example", SHOP))
    emulator.deliver(DESK, mail(2, "jo@c.example", DESK))
    await eventually(lambda: _has(desk, ["Question 1", "Question 2"]), 20)


async def test_push_wakes_the_reader_and_the_watch_is_asked_for(
    desk: GmailDesk, emulator: Emulator, google: Proxy, start_service: START
) -> None:
    await desk.connect("ad1", SHOP)
    env = desk.env | {
        "MAILROOM_GMAIL_POLL_S": "60",
        "MAILROOM_GMAIL_IDLE_POLL_S": "60",
        "MAILROOM_GMAIL_PUBSUB_TOPIC": "projects/p/topics/t",
        "MAILROOM_GMAIL_PUBSUB_SUBSCRIPTION": "projects/p/subscriptions/s",
        "MAILROOM_GMAIL_PUBSUB_URL": google.origin,
    }
    start_service("ingest_gmail", env)
    await eventually(lambda: any(p.endswith("/watch") and e == SHOP for e, _, p in google.calls), 20)
    await eventually(lambda: _state(desk, "ok"), 10)
    emulator.deliver(SHOP, mail(1, "jo@c.example", SHOP))
    pushed = time.monotonic()
    google.push(SHOP)
    await eventually(lambda: _has(desk, ["Question 1"]), 10)
    assert time.monotonic() - pushed < 10
    await eventually(lambda: google.acknowledged != [], 5)


def test_the_service_needs_its_keys(desk: GmailDesk, start_service: START) -> None:
    service = start_service("ingest_gmail", desk.env | {"MAILROOM_SECRET_KEYS": ""}, ready=False)
    assert service.wait(20) != 0
    assert "MAILROOM_SECRET_KEYS" in service.output()
    assert MESSAGE_ID_KEYS not in service.output()


async def _has(desk: GmailDesk, subjects: list[str]) -> bool:
    found = sorted(await desk.subjects())
    assert found == sorted(subjects), f"{len(found)} of {len(subjects)}: {found[:10]}"
    return True


async def _some(desk: GmailDesk, count: int) -> bool:
    return len(await desk.received()) >= count


async def _state(desk: GmailDesk, state: str, key: str = "ad1") -> bool:
    found = await desk.statuses(key)
    assert found
    assert found[-1].state == state, found[-1]
    return True


def _calls(google: Proxy, email: str) -> int:
    return sum(1 for e, _, path in google.calls if e == email and path.startswith("/gmail/"))


def _read_by(service: ServiceProcess) -> int:
    line = next((x for x in service.metrics().splitlines() if x.startswith("mailroom_gmail_accounts ")), "x 0")
    return int(float(line.split()[1]))
