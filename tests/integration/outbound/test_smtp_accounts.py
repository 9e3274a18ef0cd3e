"""SMTP accounts against a real Postfix with Dovecot: logins, parking and mending, greylisting, sizes, recipients."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mailroom_contracts import AttachmentRef, BlobRef, Person, SmtpAccount, topics
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.smtp.account import check_account
from support.mailserver import MailServer
from support.outgoing import Installation, installation
from support.processes import ServiceProcess
from support.servers import ValkeyServer
from support.waiting import eventually

START = Callable[..., ServiceProcess]
USER, PASSWORD = "sales@smtp.example", "Right-Pa55word-0"
WRONG = "Wr0ng-Passw0rd-1"
TO = "jo@c.example"


@pytest.fixture(scope="module")
def provider() -> Iterator[MailServer]:
    with MailServer({USER: PASSWORD, "second@smtp.example": "two"}, size_limit=100_000) as server:
        yield server


@pytest.fixture
async def office(
    kafka: str, valkey: ValkeyServer, topic_prefix: str, tmp_path: Path, provider: MailServer
) -> AsyncIterator[Installation]:
    provider.policy = lambda _: "DUNNO"
    provider.password(USER, PASSWORD)
    async with installation(kafka, valkey.url, topic_prefix, str(tmp_path / "data")) as office:
        office.env |= {
            "MAILROOM_ALLOW_PRIVATE_HOSTS": "true",
            "MAILROOM_SMTP_CA_FILE": str(provider.ca_file),
        }
        yield office


def smtp(provider: MailServer, **changes: Any) -> dict[str, Any]:
    return {"host": "localhost", "port": provider.port, "tls": "starttls", "username": USER, **changes}


def taken_in_order(provider: MailServer, word: str) -> list[str]:
    """Message-IDs with that word, in the order in which the server took them (it delivers in any order)."""
    return re.findall(rf"message-id=<({word}[^@>]*)@", provider.log())


async def arrived(provider: MailServer, to: str, count: int = 1) -> list[bytes]:
    """The mailbox, once it holds so many."""
    return list(await eventually(lambda: len(provider.mailbox(to)) >= count and provider.mailbox(to), 30))


async def reaches(office: Installation, outbound_id: str, state: str, timeout: float = 40) -> None:
    async def reached() -> bool:
        return state in await office.states(outbound_id)

    await eventually(reached, timeout, every=0.2, what=f"{outbound_id} is {state}")


async def test_a_wrong_password_parks_and_once_mended_all_goes_out_in_order(
    office: Installation, start_service: START, provider: MailServer
) -> None:
    await office.address("sales", kind="smtp", email=USER, smtp=smtp(provider, max_connections=1), password=WRONG)
    service = start_service("outbound", office.env)
    for number in range(5):  # of one ticket: those of several may overtake each other while attempts are recorded
        await office.send(number, "sales", TO, ticket_id="t0", rfc_message_id=f"inorder{number}@acme.example")
    for number in range(5):
        await reaches(office, f"o{number}", "parked")
    status = await office.status("sales")
    assert status is not None
    assert status.state == "needs_attention"
    assert "535" in (status.reason or "")
    # what comes later waits too, over a restart, and a restart costs one login at most
    service.kill()
    logins = provider.log().count("authentication failed")
    service.start()
    await office.send(5, "sales", TO, ticket_id="t0", rfc_message_id="inorder5@acme.example")
    await reaches(office, "o5", "parked")
    assert provider.log().count("authentication failed") - logins <= 1  # one try, one failed login
    assert taken_in_order(provider, "inorder") == []
    await office.address(
        "sales", kind="smtp", email=USER, revision=2, password=PASSWORD,
        smtp=smtp(provider, max_connections=1, secret_revision=2),
    )  # fmt: skip
    for number in range(6):
        await reaches(office, f"o{number}", "sent")
    assert taken_in_order(provider, "inorder") == [f"inorder{number}" for number in range(6)]
    sent = (await office.reports("o0"))[-1]
    assert (sent.server_reply or "").startswith("250 2.0.0 Ok: queued as ")
    mended = await office.status("sales")
    assert mended is not None
    assert mended.state == "ok"
    everything = service.output() + provider.log() + str(await office.read(topics.EMAIL_DELIVERY))
    everything += str(await office.read(topics.EMAIL_LANES)) + str(await office.read(topics.ADDRESS_STATUS))
    assert PASSWORD not in everything
    assert WRONG not in everything


async def test_greylisting_defers_and_the_second_try_gets_through(
    office: Installation, start_service: START, provider: MailServer
) -> None:
    tries: dict[str, int] = {}

    def greylist(attributes: dict[str, str]) -> str:
        recipient = attributes["recipient"]
        tries[recipient] = tries.get(recipient, 0) + 1
        return "450 4.2.0 Greylisted, come back later" if "grey" in recipient and tries[recipient] < 3 else "DUNNO"

    provider.policy = greylist
    await office.address("sales", kind="smtp", email=USER, smtp=smtp(provider), password=PASSWORD)
    start_service("outbound", office.env)
    await office.send(1, "sales", "grey@c.example")
    await office.send(2, "sales", ["both@c.example", "greyboth@c.example"])
    await office.send(3, "sales", "plain@c.example")
    for key in ("o1", "o2", "o3"):
        await reaches(office, key, "sent")
    assert await office.states("o1") == ["deferred", "deferred", "sent"]
    assert await office.states("o3") == ["sent"]
    assert "Greylisted" in ((await office.reports("o1"))[0].reason or "")
    # the recipient that was served at once did not get it again with the other
    assert len(await arrived(provider, "greyboth@c.example")) == 1
    assert len(await arrived(provider, "both@c.example")) == 1


async def test_too_large_unknown_and_not_allowed_fail_in_the_servers_words(
    office: Installation, start_service: START, provider: MailServer, tmp_path: Path
) -> None:
    await office.address("sales", kind="smtp", email=USER, smtp=smtp(provider), password=PASSWORD)
    # signs in as one user and sends as another
    await office.address("other", kind="smtp", email="other@smtp.example", smtp=smtp(provider), password=PASSWORD)
    start_service("outbound", office.env)
    data = b"x" * 200_000
    blob = await BlobStore(str(tmp_path / "data" / "blobs")).put("p1/t1/att", data)
    big = AttachmentRef(filename="big.bin", size=len(data), blob=blob)
    gone = AttachmentRef(filename="gone.bin", size=1, blob=BlobRef(key="p1/t1/none", size=1))
    await office.send(1, "sales", TO, attachments=[big])
    await office.send(2, "sales", ["nobody@smtp.example", TO])
    await office.send(3, "other", TO)
    await office.send(4, "sales", TO, attachments=[gone])
    for key in ("o1", "o2", "o3", "o4"):
        await reaches(office, key, "failed")
    reasons = {r.outbound_id: r.reason or "" for r in await office.reports()}
    assert "552 5.3.4" in reasons["o1"] or "size" in reasons["o1"]
    assert "not delivered to nobody@smtp.example" in reasons["o2"]
    assert "550 5.1.1" in reasons["o2"]
    assert "553 5.7.1" in reasons["o3"]
    assert "missing" in reasons["o4"]
    partly = next(r for r in await office.reports("o2") if r.state == "failed")
    assert {(r.recipient, r.state) for r in partly.recipients} == {("nobody@smtp.example", "failed"), (TO, "sent")}
    await office.nothing_waits()


async def test_the_mail_itself_over_implicit_tls(
    office: Installation, start_service: START, provider: MailServer, tmp_path: Path
) -> None:
    to, hidden = "whole@c.example", "hidden@c.example"
    account = smtp(provider, port=provider.tls_port, tls="implicit")
    await office.address("sales", kind="smtp", email=USER, smtp=account, password=PASSWORD)
    start_service("outbound", office.env)
    blob = await BlobStore(str(tmp_path / "data" / "blobs")).put("p1/t1/att", "Grüße".encode())
    await office.send(
        1, "sales", to, subject="Über Größe und Länge " * 8, text="Grüße aus Köln\n.\n..zwei Punkte\n",
        bcc=[Person(email=hidden)], from_=Person(email="someone@else.example", name="Änne vom Verkauf"),
        in_reply_to="q@c.example", references=["p@c.example", "q@c.example"],
        attachments=[AttachmentRef(filename="Grüße.txt", content_type="text/plain", size=7, blob=blob)],
    )  # fmt: skip
    await reaches(office, "o1", "sent")
    (raw,) = await arrived(provider, to)
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert mail["From"].addresses[0].addr_spec == USER
    assert mail["From"].addresses[0].display_name == "Änne vom Verkauf"
    assert str(mail["Subject"]).strip() == ("Über Größe und Länge " * 8).strip()
    assert mail["Bcc"] is None
    assert hidden not in raw.decode("latin-1").partition("\n\n")[2]
    assert mail["References"].split()[:2] == ["<p@c.example>", "<q@c.example>"]
    assert mail["Return-Path"] == f"<{USER}>"
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n").strip() == "Grüße aus Köln\n.\n..zwei Punkte"
    (part,) = mail.iter_attachments()
    assert part.get_filename() == "Grüße.txt"
    assert len(await arrived(provider, hidden)) == 1


async def test_switched_off_or_deleted_what_waits_is_refused(
    office: Installation, start_service: START, provider: MailServer
) -> None:
    await office.address("sales", kind="smtp", email=USER, smtp=smtp(provider), password=WRONG)
    start_service("outbound", office.env)
    await office.send(1, "sales", TO)
    await reaches(office, "o1", "parked")
    await office.address(
        "sales", kind="smtp", email=USER, smtp=smtp(provider), password=WRONG, revision=2, active=False
    )
    await reaches(office, "o1", "refused")
    await office.nothing_waits()
    # mended with nothing waiting: a login of its own shows that it works again
    good = smtp(provider, secret_revision=2)
    await office.address("sales", kind="smtp", email=USER, smtp=good, password=PASSWORD, revision=3)

    async def well() -> bool:
        status = await office.status("sales")
        return status is not None and status.state == "ok"

    await eventually(well, 40, every=0.3, what="the account works again")


async def test_private_networks_and_certificates_park(
    office: Installation, start_service: START, provider: MailServer
) -> None:
    await office.address("inside", kind="smtp", email=USER, smtp=smtp(provider), password=PASSWORD)
    service = start_service("outbound", {**office.env, "MAILROOM_ALLOW_PRIVATE_HOSTS": "false"})
    await office.send(1, "inside", TO)
    await reaches(office, "o1", "parked")
    assert "private network" in ((await office.reports("o1"))[-1].reason or "")
    service.terminate()
    env = {**office.env, "MAILROOM_SMTP_CA_FILE": "", "MAILROOM_HEALTH_PORT": ""}
    other = start_service("outbound", env)
    await office.send(2, "inside", TO)

    async def told() -> bool:
        status = await office.status("inside")
        return status is not None and "certificate" in (status.reason or "")

    await eventually(told, 40, what="the certificate's fault")
    other.terminate()


@pytest.mark.parametrize(
    ("changes", "password", "sender", "code", "words"),
    [
        ({}, PASSWORD, USER, None, ""),
        ({"tls": "implicit", "port": "tls"}, PASSWORD, USER, None, ""),
        ({}, WRONG, USER, "login_refused", "535"),
        ({}, PASSWORD, "other@smtp.example", "sender_refused", "not owned by user"),
        ({"tls": "implicit"}, PASSWORD, USER, "tls_refused", "Encryption to STARTTLS"),
        ({"port": "tls"}, PASSWORD, USER, "no_greeting", "TLS from the start"),
        ({"host": "127.0.0.1"}, PASSWORD, USER, "certificate_invalid", "certificate"),
        ({"host": "no-such-host.invalid"}, PASSWORD, USER, "host_not_found", "no-such-host.invalid"),
        ({"port": 1}, PASSWORD, USER, "no_answer", "refuses connections"),
        ({"auth": "oauth"}, PASSWORD, USER, "sign_in_not_offered", "passwords"),
    ],
)
async def test_the_login_check_says_what_is_wrong(
    provider: MailServer, changes: dict[str, Any], password: str, sender: str, code: str | None, words: str
) -> None:
    provider.policy = lambda _: "DUNNO"
    provider.password(USER, PASSWORD)
    if changes.get("port") == "tls":
        changes = {**changes, "port": provider.tls_port}
    problem = await check_account(
        SmtpAccount(**smtp(provider, **changes)), password, from_email=sender, allow_private=True,
        ca_file=str(provider.ca_file), timeout_s=3,
    )  # fmt: skip
    assert (problem.code if problem else None) == code
    assert problem is None or (words in problem.text and password not in problem.text)
