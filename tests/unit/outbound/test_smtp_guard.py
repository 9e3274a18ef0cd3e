"""Where an SMTP account may lead: addresses, ports, names that change between check and use."""

from __future__ import annotations

import asyncio

import pytest
from mailroom_contracts import SmtpAccount
from mailroom_runtime.smtp.account import PRESETS, check_account, preset_for, tls_for_port
from mailroom_runtime.smtp.connect import Access, connect, is_public
from mailroom_runtime.smtp.trouble import SmtpTrouble, said


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1",
        "2001:db8::1", "240.0.0.1",
    ],
)  # fmt: skip
def test_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "142.250.1.1", "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public(address: str) -> None:
    assert is_public(address)


def account(**changes: object) -> SmtpAccount:
    return SmtpAccount.model_validate(
        {"host": "mail.rebind.example", "port": 587, "tls": "none", "username": "", **changes}
    )


class Resolver:
    """Answers in turn; remembers how often it was asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), 0

    async def __call__(self, name: str) -> list[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


async def test_a_name_that_leads_inside_is_refused() -> None:
    resolve = Resolver(["10.0.0.5"])
    with pytest.raises(SmtpTrouble) as caught:
        await connect(account(), Access(resolve=resolve))
    assert caught.value.code == "private_host"
    assert not caught.value.temporary


async def test_a_name_that_changes_after_the_check_gains_nothing() -> None:
    """The first answer is public and unreachable, the second would be this machine: it is never asked for."""
    reached: list[object] = []
    server = await asyncio.start_server(lambda r, w: reached.append(r), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    resolve = Resolver(["203.0.113.254"], ["127.0.0.1"])
    with pytest.raises(SmtpTrouble) as caught:
        await connect(account(port=port), Access(resolve=resolve, timeout_s=0.5))
    assert caught.value.code in ("no_answer", "private_host")
    assert resolve.asked == 1
    # one address of several is inside: only the others are tried
    with pytest.raises(SmtpTrouble) as caught:
        await connect(account(port=port), Access(resolve=Resolver(["127.0.0.1", "8.8.8.8"]), timeout_s=0.5))
    assert caught.value.code == "no_answer"
    assert reached == []
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "0x7f.1", "2130706433", "127.1"])
async def test_this_machine_under_all_its_names(host: str) -> None:
    problem = await check_account(account(host=host), None, from_email="a@b.example", timeout_s=1)
    assert problem is not None
    assert problem.code in ("private_host", "host_not_found")


async def test_ports_of_other_services() -> None:
    problem = await check_account(account(host="8.8.8.8", port=22), None, from_email="a@b.example")
    assert problem is not None
    assert problem.code == "port_refused"


async def test_no_such_host() -> None:
    problem = await check_account(account(), None, from_email="a@b.example", access=Access(resolve=Resolver([])))
    assert problem is not None
    assert problem.code == "host_not_found"
    assert "mail.rebind.example" in problem.text


def test_presets_fill_in_the_server() -> None:
    preset = preset_for("Jo@GMX.de")
    assert preset is not None
    assert (preset.host, preset.port, preset.tls) == ("mail.gmx.net", 465, "implicit")
    assert preset_for("jo@customer.example") is None
    assert len({p.name for p in PRESETS}) == len(PRESETS)
    assert all(p.tls == tls_for_port(p.port) for p in PRESETS)


def test_a_servers_words_are_cut_and_flat() -> None:
    assert said(535, "5.7.8\nwrong \x00 password") == "535 5.7.8 wrong password"
