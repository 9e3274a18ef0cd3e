"""Check forwarding: the probe goes out, comes back or does not, and who forwards is learned."""

from __future__ import annotations

from typing import Any

from mailroom_contracts import (
    Address,
    AddressStatus,
    BlobRef,
    Content,
    DeliveryReport,
    EmailReceived,
    Envelope,
    OutboundMail,
    Verdicts,
    ids,
    topics,
)
from mailroom_mail import sign_message_id
from support.console_story import START
from support.waiting import eventually

from .conftest import Bus, RunningConsole, Starter


def _smtp(console: RunningConsole, name: str = "sales") -> str:
    """An SMTP address that forwards to support@, put where a checked login would put it."""
    account = {"host": "h.example", "port": 587, "tls": "starttls", "username": "u"}
    email = f"{name}@{console.domain.replace('acme', 'customer')}"
    return console.put_address("smtp", email, smtp=account, forwards_to=console.ids["address"])


async def _probe(bus: Bus, address_id: str, *, plus: bool = False) -> OutboundMail:
    async def ordered() -> OutboundMail | None:
        sent = [m for key, m in await bus.all(topics.EMAIL_OUTBOUND) if key == address_id]
        found = [m for m in sent if isinstance(m, OutboundMail) and ("+" in m.to[0].email) is plus]
        return found[-1] if found else None

    order = await eventually(ordered, 10)
    assert isinstance(order, OutboundMail)
    return order


def _arrival(console: RunningConsole, message_id: str, to: str, **verdicts: Any) -> EmailReceived:
    return EmailReceived(
        id=ids.derive("arrival", message_id, to), identity=ids.derive(message_id), portal_id=console.ids["portal"],
        source="smtp", received_at=START, envelope=Envelope(rcpt_to=[to], client_ip="127.0.0.1"), size=1,
        raw=BlobRef(key="x", size=1), content=Content(message_id=message_id), verdicts=Verdicts(**verdicts),
    )  # fmt: skip


def _undelivered(probe: OutboundMail) -> DeliveryReport:
    return DeliveryReport(
        outbound_id=probe.id, portal_id=probe.portal_id, ticket_id=probe.ticket_id, message_id=probe.message_id,
        address_id=probe.address_id, kind="probe", state="failed", at=START, reason="550 no such user",
    )  # fmt: skip


async def _state(console: RunningConsole, address_id: str, wanted: str) -> dict[str, Any]:
    async def reached() -> dict[str, Any] | None:
        address = await console.get(f"/addresses/{address_id}")
        return address if (address["forwarding"] or {}).get("state") == wanted else None

    return dict(await eventually(reached, 15))


async def test_a_probe_that_comes_back_confirms_and_teaches(console: RunningConsole, bus: Bus) -> None:
    address_id = _smtp(console)
    answer = await console.api.post(f"/addresses/{address_id}/check-forwarding")
    assert answer.status_code == 202, answer.text
    address = await console.get(f"/addresses/{address_id}")
    assert (address["state"], address["forwarding"]["check_id"]) == ("forwarding_pending", answer.json()["check_id"])
    order = await _probe(bus, address_id)
    assert (order.kind, order.to[0].email, order.from_ and order.from_.email) == (
        "probe", address["email"], console.at("support"),
    )  # fmt: skip
    assert order.rfc_message_id.startswith("probe.")
    forged = sign_message_id(answer.json()["check_id"], "probe", console.domain, {"k1": b"x" * 32})
    await bus.send(topics.EMAIL_RECEIVED, _arrival(console, forged, console.at("support"), spf="pass",
                                                   spf_domain="evil.example"))  # fmt: skip
    await bus.send(
        topics.EMAIL_RECEIVED,
        _arrival(console, order.rfc_message_id, console.at("support"), spf="pass", spf_domain="Forwarder.example",
                 dkim=[{"domain": console.domain, "result": "pass"}]),
    )  # fmt: skip
    confirmed = await _state(console, address_id, "confirmed")
    assert [(f["kind"], f["value"]) for f in confirmed["forwarders"]] == [("spf_domain", "forwarder.example")]
    assert confirmed["state"] == "active"

    async def published() -> bool:
        told = (await bus.latest(topics.ADDRESSES)).get(address_id)
        status = (await bus.latest(topics.ADDRESS_STATUS)).get(f"{address_id}:forwarding")
        return (
            isinstance(told, Address) and [f.value for f in told.forwarders] == ["forwarder.example"]
            and isinstance(status, AddressStatus) and status.state == "confirmed"
        )  # fmt: skip

    await eventually(published, 10)


async def test_a_probe_at_another_address_or_undelivered_fails_in_words(console: RunningConsole, bus: Bus) -> None:
    first, second = _smtp(console, "one"), _smtp(console, "two")
    for address_id in (first, second):
        assert (await console.api.post(f"/addresses/{address_id}/check-forwarding")).status_code == 202
    one, two = await _probe(bus, first), await _probe(bus, second)
    await bus.send(topics.EMAIL_RECEIVED, _arrival(console, one.rfc_message_id, console.at("other")))
    await bus.send(topics.EMAIL_DELIVERY, _undelivered(two))
    assert console.at("other") in (await _state(console, first, "failed"))["state_reason"]
    failed = await _state(console, second, "failed")
    assert (failed["state"], "550 no such user" in failed["state_reason"]) == ("forwarding_failed", True)


async def test_a_probe_that_ends_at_once_is_seen_while_another_is_awaited(console: RunningConsole, bus: Bus) -> None:
    waiting = _smtp(console, "waiting")
    assert (await console.api.post(f"/addresses/{waiting}/check-forwarding")).status_code == 202
    for number in range(5):  # the first finds the watch starting, the others find it waiting for records
        address_id = _smtp(console, f"quick{number}")
        assert (await console.api.post(f"/addresses/{address_id}/check-forwarding")).status_code == 202
        await bus.send(topics.EMAIL_DELIVERY, _undelivered(await _probe(bus, address_id)))
        await _state(console, address_id, "failed")
    assert (await console.get(f"/addresses/{waiting}"))["forwarding"]["state"] == "pending"


async def test_a_probe_that_never_comes_back_fails_after_its_time(start_console: Starter, bus: Bus) -> None:
    console = await start_console(forwarding_timeout_s=2)
    address_id = _smtp(console)
    assert (await console.api.post(f"/addresses/{address_id}/check-forwarding")).status_code == 202
    failed = await _state(console, address_id, "failed")
    assert "did not come back within 2 seconds" in failed["state_reason"]
    assert await _plus(console, address_id) is False


async def test_a_check_goes_on_over_a_restart(start_console: Starter, bus: Bus) -> None:
    console = await start_console()
    address_id = _smtp(console)
    assert (await console.api.post(f"/addresses/{address_id}/check-forwarding")).status_code == 202
    order = await _probe(bus, address_id)
    await console.stop()
    await bus.send(topics.EMAIL_RECEIVED, _arrival(console, order.rfc_message_id, console.at("support")))
    console = await start_console()
    confirmed = await _state(console, address_id, "confirmed")
    # nothing better was known, and this console may trust private hosts
    assert [(f["kind"], f["value"]) for f in confirmed["forwarders"]] == [("network", "127.0.0.1/32")]


async def test_there_must_be_something_to_check(console: RunningConsole) -> None:
    answer = await console.api.post(f"/addresses/{console.ids['address']}/check-forwarding")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_forwarding")


async def _plus(console: RunningConsole, address_id: str) -> bool:
    async def checked() -> dict[str, Any] | None:
        address = await console.get(f"/addresses/{address_id}")
        return address if address["plus_checked_at"] else None

    return bool((await eventually(checked, 15))["plus_replies"])


async def test_plus_addresses_are_used_where_their_probe_comes_back(console: RunningConsole, bus: Bus) -> None:
    takes, refuses = _smtp(console, "takes"), _smtp(console, "refuses")
    for address_id in (takes, refuses):
        assert (await console.api.post(f"/addresses/{address_id}/check-forwarding")).status_code == 202
    probe = await _probe(bus, takes, plus=True)
    local, _, domain = (await console.get(f"/addresses/{takes}"))["email"].partition("@")
    assert probe.to[0].email.startswith(f"{local}+")
    assert probe.to[0].email.endswith(f"@{domain}")
    assert probe.rfc_message_id.startswith("probe.")
    await bus.send(topics.EMAIL_RECEIVED, _arrival(console, probe.rfc_message_id, console.at("support")))
    await bus.send(topics.EMAIL_DELIVERY, _undelivered(await _probe(bus, refuses, plus=True)))
    assert await _plus(console, takes) is True
    assert await _plus(console, refuses) is False
    # that says nothing of the forwarding, which is still awaited
    assert (await console.get(f"/addresses/{refuses}"))["forwarding"]["state"] == "pending"

    async def published() -> bool:
        told = (await bus.latest(topics.ADDRESSES)).get(takes)
        return isinstance(told, Address) and told.plus_replies

    await eventually(published, 10)
    assert (await console.api.patch(f"/addresses/{takes}", json={"plus_replies": True})).status_code == 422
    off = await console.api.patch(f"/addresses/{takes}", json={"plus_replies": False})
    assert (off.status_code, off.json()["plus_replies"]) == (200, False)
