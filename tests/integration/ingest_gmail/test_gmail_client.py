"""The client against the emulator, through the proxy: every call, and every trouble told apart."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable

import pytest
from googleapiclient.discovery_cache import get_static_doc
from mailroom_gmail import (
    Expired,
    GmailClient,
    GoogleSettings,
    Limited,
    RawMessage,
    Refused,
    Revoked,
    Temporary,
    missing_scopes,
    oauth,
)
from mailroom_gmail.client import BATCH_SIZE, CALLS_AT_ONCE
from pydantic import SecretStr
from support.gmail_emulator import CLIENT_ID, CLIENT_SECRET, ME, Emulator, mail
from support.gmail_proxy import Faults, Proxy

SHOP, DESK = "shop@gmail.example", "desk@gmail.example"
ClientMaker = Callable[..., GmailClient]


async def test_reading(google: Proxy, emulator: Emulator, client_for: ClientMaker) -> None:
    client = client_for()
    email, start = await client.profile()
    assert email == SHOP
    sent = [mail(n, "jo@c.example", SHOP, text="ä" * n) for n in range(3)]
    ids = [emulator.deliver(SHOP, raw)["id"] for raw in sent]
    page = await client.history(start)
    assert [a.id for a in page.arrivals] == ids
    assert all(set(a.label_ids) == {"INBOX", "UNREAD"} and not a.labelled for a in page.arrivals)
    found = await client.raw(ids)
    assert [found[i].raw for i in ids] == sent  # type: ignore[union-attr]
    assert any(path.startswith("/batch/") for _, _, path in google.calls)
    assert (await client.history(page.history_id)).arrivals == ()
    # going on from a record's own id gives what came after it
    rest = await client.history(page.arrivals[0].history_id)
    assert [a.id for a in rest.arrivals] == ids[1:]
    listing = await client.listing("after:1")
    assert sorted(listing.ids) == sorted(ids)


async def test_a_label_given_later_is_told(emulator: Emulator, client_for: ClientMaker) -> None:
    client = client_for()
    spam = emulator.deliver(SHOP, mail(1, "jo@c.example", SHOP), ["SPAM"])["id"]
    _, start = await client.profile()
    emulator.relabel(SHOP, spam, add=["INBOX"], remove=["SPAM"])
    (arrival,) = (await client.history(start)).arrivals
    assert (arrival.id, arrival.labelled) == (spam, True)
    assert "INBOX" in arrival.label_ids


async def test_a_message_that_is_gone_does_not_spoil_the_batch(emulator: Emulator, client_for: ClientMaker) -> None:
    there = emulator.deliver(SHOP, mail(1, "jo@c.example", SHOP))["id"]
    found = await client_for().raw([there, "msg_gone"])
    assert isinstance(found[there], RawMessage)
    assert isinstance(found["msg_gone"], Expired)


async def test_without_a_batch_endpoint_it_reads_one_by_one(emulator: Emulator, client_for: ClientMaker) -> None:
    ids = [emulator.deliver(SHOP, mail(n, "jo@c.example", SHOP))["id"] for n in range(6)]
    tokens = emulator.tokens(SHOP)
    direct = client_for(
        token=tokens["refresh_token"], api_url=emulator.origin, token_url=f"{emulator.origin}/oauth2/token"
    )
    found = await direct.raw(ids)
    assert all(isinstance(found[i], RawMessage) for i in ids)


async def test_finding_by_message_id_with_or_without_brackets(emulator: Emulator, client_for: ClientMaker) -> None:
    """The emulator's own search keeps the colon of rfc822msgid: and finds nothing; the proxy does as Gmail does."""
    client = client_for()
    message = emulator.write(SHOP, mail(7, SHOP, "jo@c.example"))
    for asked in ("m7.shop@customer.example", "<m7.shop@customer.example>"):
        found = await client.find(asked)
        assert found is not None
        assert (found.id, found.thread_id) == (message["id"], message["threadId"])
    assert await client.find("m8.shop@customer.example") is None


async def test_what_the_search_does_not_find_is_found_in_the_sent_folder(
    google: Proxy, emulator: Emulator, client_for: ClientMaker
) -> None:
    """Gmail may give a mail another Message-ID, and indexes late."""
    google.search_works = False
    emulator.write(SHOP, mail(6, SHOP, "jo@c.example"))
    message = emulator.write(SHOP, mail(7, SHOP, "jo@c.example"))
    found = await client_for().find("m7.shop@customer.example")
    assert found is not None
    assert found.id == message["id"]
    assert await client_for().find("m8.shop@customer.example") is None


async def test_looking_through_the_sent_folder_goes_on_where_it_was(
    google: Proxy, emulator: Emulator, client_for: ClientMaker
) -> None:
    """With each message refused half of the time, twenty at once would never come: what came is not asked for again."""
    google.search_works = False
    message = emulator.write(SHOP, mail(0, SHOP, "jo@c.example"))
    for number in range(1, 20):
        emulator.write(SHOP, mail(number, SHOP, "jo@c.example"))
    client = client_for()
    await client.profile()
    google.faults = Faults(1.0, kinds=["batch_part"])
    found = None
    for _ in range(20):
        try:
            found = await client.find("m0.shop@customer.example")
            break
        except Limited:
            continue
    assert found is not None
    assert found.id == message["id"]


async def test_sending_in_a_thread(emulator: Emulator, client_for: ClientMaker) -> None:
    question = emulator.deliver(SHOP, mail(1, "jo@c.example", SHOP))
    raw = mail(2, SHOP, "jo@c.example", answers="<m1.jo@customer.example>")
    sent = await client_for().send(raw, question["threadId"])
    assert sent.thread_id == question["threadId"]
    (message,) = emulator.messages(SHOP, "SENT")
    assert message["source"] == raw


async def test_large_mail_goes_up_in_parts(google: Proxy, emulator: Emulator, client_for: ClientMaker) -> None:
    thread = emulator.deliver(SHOP, mail(1, "jo@c.example", SHOP))["threadId"]
    raw = mail(2, SHOP, "jo@c.example", text=secrets.token_hex(3 * 2**20))
    assert len(raw) > 6 * 2**20
    sent = await client_for().send(raw, thread)
    assert sent.thread_id == thread
    (message,) = emulator.messages(SHOP, "SENT")
    assert message["source"] == raw
    puts = [c for c in google.calls if c[1] == "PUT"]
    assert len(puts) == 2, "a part of 4 MB and the rest"


async def test_a_large_mail_that_is_not_ours_any_more_is_not_sent(emulator: Emulator, client_for: ClientMaker) -> None:
    raw = mail(2, SHOP, "jo@c.example", text="x" * 6 * 2**20)
    asked = iter([True, False])
    with pytest.raises(Temporary):
        await client_for().send(raw, None, go_on=lambda: next(asked))
    assert emulator.messages(SHOP, "SENT") == []


async def test_a_mail_whose_answer_never_came_is_sent_once(google: Proxy, client_for: ClientMaker) -> None:
    """httplib2 by itself sends it again when the server closes the connection instead of answering."""
    client = client_for()
    await client.profile()
    google.faults = Faults(1.0, kinds=["cut_after"])
    with pytest.raises(Temporary):
        await client.send(mail(1, SHOP, "jo@c.example"), None)
    google.faults = Faults()
    assert sum("/messages/send" in path for _, _, path in google.calls) == 1
    assert await client.find("m1.shop@customer.example") is not None


async def test_too_large_is_refused_before_a_byte_is_sent(google: Proxy, client_for: ClientMaker) -> None:
    with pytest.raises(Refused, match="at most 25"):
        await client_for().send(b"x" * (25 * 2**20 + 1), None)
    assert google.calls == []


async def test_troubles_are_told_apart(google: Proxy, emulator: Emulator, client_for: ClientMaker) -> None:
    client = client_for()
    emulator.deliver(SHOP, mail(1, "jo@c.example", SHOP))

    def blocked(status: int, reason: str, message: str = "m", headers: dict[str, str] | None = None) -> None:
        content = {"error": {"code": status, "message": message, "errors": [{"reason": reason}]}}
        google.blocked[SHOP] = (status, content, headers or {})

    blocked(429, "rateLimitExceeded", headers={"Retry-After": "7"})
    with pytest.raises(Limited) as limited:
        await client.history("1")
    assert limited.value.retry_after_s == 7
    blocked(403, "userRateLimitExceeded")
    with pytest.raises(Limited):
        await client.history("1")
    blocked(403, "insufficientPermissions")
    with pytest.raises(Revoked, match="permission is missing"):
        await client.history("1")
    blocked(503, "backendError")
    with pytest.raises(Temporary):
        await client.history("1")
    blocked(400, "invalidArgument", "Recipient address required")
    with pytest.raises(Refused, match="Recipient address required"):
        await client.history("1")
    google.blocked.clear()
    google.forget_history(SHOP)
    with pytest.raises(Expired):
        await client.history("1")


@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "half_answer"])
async def test_broken_answers_are_temporary_and_the_next_call_works(
    google: Proxy, client_for: ClientMaker, kind: str
) -> None:
    client = client_for()
    await client.profile()
    google.faults = Faults(1.0, kinds=[kind])
    with pytest.raises(Temporary):
        await client.profile()
    google.faults = Faults()
    assert (await client.profile())[0] == SHOP


async def test_slow_answers_time_out(google: Proxy, client_for: ClientMaker) -> None:
    client = client_for(timeout_s=0.3)
    await client.profile()
    google.faults = Faults(1.0, kinds=["slow"], longest_s=3.0, seed=3)
    with pytest.raises(Temporary):
        await client.profile()


async def test_an_expired_access_token_is_renewed_once_for_all_calls(google: Proxy, client_for: ClientMaker) -> None:
    client = client_for()
    await client.profile()
    google.expire_tokens()
    google.calls.clear()
    await asyncio.gather(*(client.history("1") for _ in range(8)))
    renewals = [c for c in google.calls if c[2] == "/oauth2/token"]
    assert 1 <= len(renewals) <= CALLS_AT_ONCE


async def test_an_expired_access_token_within_a_batch(
    google: Proxy, emulator: Emulator, client_for: ClientMaker
) -> None:
    ids = [emulator.deliver(SHOP, mail(n, "jo@c.example", SHOP))["id"] for n in range(BATCH_SIZE + 3)]
    client = client_for()
    await client.profile()
    google.expire_tokens()
    found = await client.raw(ids)
    assert all(isinstance(found[i], RawMessage) for i in ids)
    assert client.quota.spent["get"] == 5 * len(ids)


async def test_a_revoked_permission_says_so_and_shows_no_token(google: Proxy, client_for: ClientMaker) -> None:
    token = google.sign_in(SHOP)
    client = client_for(token=token)
    await client.profile()
    google.revoke(SHOP)
    with pytest.raises(Revoked) as revoked:
        await client.history("1")
    assert token not in str(revoked.value) + repr(client)


async def test_two_processes_renewing_at_once_do_no_harm(google: Proxy, client_for: ClientMaker) -> None:
    token = google.sign_in(SHOP)
    one, other = client_for(token=token), client_for(token=token)
    for _ in range(3):
        google.expire_tokens()
        await asyncio.gather(one.profile(), other.profile())


async def test_one_account_never_takes_all_threads(google: Proxy, client_for: ClientMaker) -> None:
    client = client_for()
    await client.profile()
    google.faults = Faults(1.0, kinds=["slow"], longest_s=0.4)
    await asyncio.gather(*(client.history("1") for _ in range(12)))
    assert google.most[SHOP] == CALLS_AT_ONCE


async def test_signing_in_with_pkce(google: Proxy, emulator: Emulator) -> None:
    settings = GoogleSettings(
        api_url=google.origin, auth_url=f"{emulator.origin}/o/oauth2/v2/auth", token_url=f"{google.origin}/oauth2/token",
        client_id=CLIENT_ID, client_secret=SecretStr(CLIENT_SECRET),
    )  # fmt: skip
    begun = oauth.begin(settings, emulator.redirect_uri)
    back = emulator.consent(begun.url, SHOP, without=["https://www.googleapis.com/auth/gmail.send"])
    code = back.partition("code=")[2].partition("&")[0]
    with pytest.raises(Refused, match="PKCE"):
        await oauth.finish(settings, emulator.redirect_uri, code, "another verifier")
    back = emulator.consent(begun.url, SHOP, without=["https://www.googleapis.com/auth/gmail.send"])
    code = back.partition("code=")[2].partition("&")[0]
    grant = await oauth.finish(settings, emulator.redirect_uri, code, begun.verifier)
    assert grant.email == SHOP
    assert missing_scopes(grant.scopes) == ["to send replies"]
    assert grant.refresh_token is not None
    assert grant.refresh_token not in repr(grant)
    with pytest.raises(Refused):
        await oauth.finish(settings, emulator.redirect_uri, code, begun.verifier)
    await oauth.revoke(settings, grant.refresh_token)
    await oauth.revoke(settings, grant.refresh_token)


def test_the_paths_of_the_emulator_are_those_of_googles_own_description() -> None:
    """Emulator and proxy are held to the discovery document that ships with Google's client."""
    document = json.loads(get_static_doc("gmail", "v1"))  # type: ignore[no-untyped-call]
    users = document["resources"]["users"]
    messages = users["resources"]["messages"]["methods"]
    mine = ME.replace("/me", "/{userId}").strip("/")
    assert users["methods"]["getProfile"]["path"] == f"{mine}/profile"
    assert users["methods"]["watch"]["path"] == f"{mine}/watch"
    assert users["resources"]["history"]["methods"]["list"]["path"] == f"{mine}/history"
    assert messages["list"]["path"] == f"{mine}/messages"
    assert messages["send"]["mediaUpload"]["protocols"]["simple"]["path"] == f"/upload/{mine}/messages/send"
    assert document["batchPath"] == "batch"
