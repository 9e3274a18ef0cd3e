"""One login at somebody's SMTP server: by which mechanism, how often, and what its refusals mean."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_outbound.courier import Deferred, Delivered, Hold, Letter
from mailroom_outbound.smtp import SmtpCourier, session_pool
from mailroom_runtime.smtp import sasl
from mailroom_runtime.smtp.account import check_account
from mailroom_runtime.smtp.connect import Access, open_session
from mailroom_runtime.smtp.refusals import of_account, of_login
from mailroom_runtime.smtp.trouble import FIELDS, SmtpTrouble
from support.submission import Submission, Verdict

PRIVATE = Access(allow_private=True, timeout_s=5)
REFUSED = "535 5.7.8 Error: authentication failed"


async def trouble(server: Submission, secret: str = "secret", **account: object) -> SmtpTrouble:
    async with server:
        with pytest.raises(SmtpTrouble) as caught:
            await open_session(server.account(**account), secret, PRIVATE)
    assert secret not in str(caught.value)
    assert caught.value.code in FIELDS
    return caught.value


@pytest.mark.parametrize("offers", ["PLAIN LOGIN CRAM-MD5", "LOGIN PLAIN", "LOGIN", "PLAIN XOAUTH2", "CRAM-MD5"])
async def test_a_wrong_password_costs_one_login(offers: str) -> None:
    server = Submission(offers, lambda _: REFUSED)
    found = await trouble(server)
    assert (found.code, found.temporary, found.doubtful) == ("login_refused", False, True)
    assert len(server.logins) == 1


async def test_a_mechanism_that_is_not_there_after_all_is_no_failed_login() -> None:
    server = Submission("LOGIN")
    server.answers["EHLO"] = "250-x\n250 AUTH CRAM-MD5 LOGIN"
    async with server:
        (await open_session(server.account(), "secret", PRIVATE)).close()
    assert [login.mechanism for login in server.logins] == ["LOGIN"]


@pytest.mark.parametrize(
    ("offers", "mechanism"), [("PLAIN XOAUTH2 OAUTHBEARER", "XOAUTH2"), ("OAUTHBEARER", "OAUTHBEARER")]
)
@pytest.mark.parametrize("size", [1, 200, 380, 390, 1600, 3000, 9000])
async def test_a_token_of_any_length_gets_there(offers: str, mechanism: str, size: int) -> None:
    """Entra's tokens have 1,600 characters and more; a line has 512 (RFC 4954 section 4)."""
    server = Submission(offers)
    async with server:
        (await open_session(server.account(auth="oauth"), "t" * size, PRIVATE)).close()
    (login,) = server.logins
    assert (login.mechanism, login.user, login.secret) == (mechanism, "help@shop.example", "t" * size)
    assert login.initial == (size <= 200)


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=800),
    st.sampled_from(["xoauth2", "oauthbearer"]),
)
def test_no_line_is_longer_than_a_line_may_be(token: str, name: str) -> None:
    response = (
        sasl.xoauth2("u@a.example", token) if name == "xoauth2" else sasl.oauthbearer("u@a.example", token, "h", 587)
    )
    line = f"AUTH {name.upper()} ".encode() + response + b"\r\n"
    assert sasl.fits(name, response) == (len(line) <= 512)


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        # only the JSON of the 334 tells a refusal from a check that was impossible
        (({"status": "401", "schemes": "bearer"}, REFUSED), ("token_refused", False, False)),
        (({"status": "invalid_token"}, REFUSED), ("token_refused", False, False)),
        (({"status": "insufficient_scope"}, REFUSED), ("token_refused", False, False)),
        (({"status": "500"}, REFUSED), ("login_unavailable", True, False)),
        (({"status": "internal_failure"}, REFUSED), ("login_unavailable", True, False)),
        (({"status": "503", "schemes": "bearer"}, "535 5.7.8 no"), ("login_unavailable", True, False)),
        (REFUSED, ("token_refused", False, True)),
        ("435 Unable to authenticate at present", ("login_unavailable", True, False)),
        ("454 4.7.0 Temporary authentication failure", ("login_unavailable", True, False)),
        ("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
         ("smtp_auth_disabled", False, False)),
        ("535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.", ("token_refused", False, False)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
async def test_what_is_said_to_a_token(verdict: Verdict, expected: tuple[str, bool, bool], mechanism: str) -> None:
    server = Submission(mechanism, lambda _: verdict)
    found = await trouble(server, auth="oauth")
    assert (found.code, found.temporary, found.doubtful) == expected
    assert len(server.logins) == 1
    if not isinstance(verdict, str):
        assert server.heard[-1] == f"end of {mechanism}: {'' if mechanism == 'XOAUTH2' else 'AQ=='!r}"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("535 5.7.8 wrong", ("login_refused", False, True)),
        ("454 4.7.0 Temporary authentication failure: Connection lost to authentication server", ("login_unavailable", True, False)),
        ("435 Unable to authenticate at present", ("login_unavailable", True, False)),
        ("421 4.7.0 try later", ("login_unavailable", True, False)),
        ("535 5.7.139 Authentication unsuccessful, basic authentication is disabled.", ("sign_in_wanted", False, False)),
        ("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
         ("smtp_auth_disabled", False, False)),
        ("534 5.7.9 Application-specific password required.", ("sign_in_wanted", False, False)),
        ("550 5.7.30 Basic authentication is not supported for Client Submission.", ("sign_in_wanted", False, False)),
        ("530 5.7.57 Client not authenticated to send mail", ("sign_in_wanted", False, False)),
        ("530 5.7.0 Must issue a STARTTLS command first", ("tls_needed", False, False)),
        ("538 5.7.11 Encryption required for requested authentication mechanism", ("tls_needed", False, False)),
        ("503 5.5.1 Error: authentication not enabled", ("tls_needed", False, False)),
    ],
)  # fmt: skip
async def test_what_is_said_to_a_password(answer: str, expected: tuple[str, bool, bool]) -> None:
    found = await trouble(Submission("PLAIN LOGIN", lambda _: answer))
    assert (found.code, found.temporary, found.doubtful) == expected


@pytest.mark.parametrize(
    ("offers", "auth", "code"),
    [("", "password", "tls_needed"), ("XOAUTH2", "password", "sign_in_wanted"), ("PLAIN", "oauth", "sign_in_not_offered"),
     ("GSSAPI", "password", "no_login")],
)  # fmt: skip
async def test_a_login_that_is_not_offered(offers: str, auth: str, code: str) -> None:
    server = Submission(offers)
    assert (await trouble(server, auth=auth)).code == code
    assert server.logins == []


@pytest.mark.parametrize(
    ("settings", "code", "field", "temporary"),
    [
        ({"tls": "starttls", "answers": {"STARTTLS": "454 4.7.0 TLS not available due to local problem"}}, "tls_broken", "smtp.host", True),
        ({"tls": "starttls", "answers": {"STARTTLS": "502 not here"}}, "tls_refused", "smtp.tls", False),
        ({"tls": "starttls", "answers": {"STARTTLS": "220 go!"}}, "closed_at_once", "smtp.port", True),
        ({"tls": "implicit"}, "tls_refused", "smtp.tls", False),
        ({"greeting": "554 5.7.1 not you"}, "no_answer", "smtp.host", True),
        ({"greeting": ""}, "no_answer", "smtp.host", True),
    ],
)  # fmt: skip
async def test_each_trouble_with_tls_names_its_field(
    settings: dict[str, object], code: str, field: str, temporary: bool
) -> None:
    tls = settings.pop("tls", "none")
    server = Submission(**settings)  # type: ignore[arg-type]
    if tls == "starttls":
        server.answers["EHLO"] = "250-x\n250 STARTTLS"
    found = await trouble(server, tls=tls)
    assert (found.code, FIELDS[found.code], found.temporary) == (code, field, temporary)


async def test_a_server_that_waits_for_tls_or_closes_at_once_is_told_apart() -> None:
    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    for handler, code in ((wait, "no_greeting"), (close, "closed_at_once")):
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        account = Submission()
        account.port = port
        with pytest.raises(SmtpTrouble) as caught:
            await open_session(account.account(), "x", Access(allow_private=True, timeout_s=0.5))
        assert (caught.value.code, caught.value.temporary) == (code, True)
        server.close()


@given(st.integers(300, 599), st.text(max_size=60), st.booleans(), st.booleans(),
       st.none() | st.dictionaries(st.sampled_from(["status", "schemes"]), st.text(max_size=12), max_size=2))  # fmt: skip
def test_every_answer_means_something_that_can_be_told(
    code: int, text: str, token: bool, private: bool, told: dict[str, str] | None
) -> None:
    found = of_login(code, text, token=token, told=told, private=private)
    assert found.code in FIELDS
    assert "\n" not in str(found)
    assert not (found.temporary and found.doubtful)
    of_account(code, text)


@given(st.binary(max_size=200))
def test_a_challenge_of_any_kind_is_read(challenge: bytes) -> None:
    told = sasl.refusal(base64.b64encode(challenge).decode())
    assert all(isinstance(value, str) for value in told.values())
    sasl.refusal(challenge.decode("latin-1"))


def test_a_challenge_may_hold_what_it_likes() -> None:
    assert sasl.refusal(base64.b64encode(json.dumps({"status": 401}).encode()).decode()) == {"status": "401"}
    assert sasl.refusal(base64.b64encode(b"[" * 9000).decode()) == {}


async def test_the_right_to_send_as_an_address_is_told_in_words() -> None:
    async with Submission(
        answers={"MAIL": "550 5.7.60 SMTP; Client does not have permissions to send as this sender"}
    ) as server:
        problem = await check_account(
            server.account(auth="oauth"), "token", from_email="other@shop.example", access=PRIVATE
        )
    assert problem is not None
    assert problem.code == "sender_refused"
    assert "Send as" in problem.text


async def test_one_of_many_who_wait_for_a_session_tries_the_password() -> None:
    """Of an account with several connections: a wrong password is one failed login, not one for each."""
    server = Submission(judge=lambda _: REFUSED)
    async with server:
        pool = session_pool(server.account(max_connections=5), "secret", PRIVATE)

        async def take() -> str:
            try:
                async with pool.session():
                    return "in"
            except SmtpTrouble as trouble:
                return trouble.code

        assert await asyncio.gather(*(take() for _ in range(5))) == ["login_refused"] * 5
        assert len(server.logins) == 1
        assert await take() == "login_refused", "later it is tried again"
        assert len(server.logins) == 2


@pytest.mark.parametrize(
    "answer", ["421 4.7.0 too many messages", "451 4.7.0 Too many messages in this session, use another session"]
)
@pytest.mark.parametrize("word", ["MAIL", "RCPT"])
async def test_a_used_up_session_is_left_and_the_mail_goes_through_another(answer: str, word: str) -> None:
    server = Submission()
    mail = Letter(b"Subject: x\r\n\r\ny\r\n", "help@shop.example", ("jo@c.example",))
    async with server:
        courier = SmtpCourier(session_pool(server.account(), "secret", PRIVATE))
        order = object()
        assert isinstance(await courier.send(order, mail), Delivered)  # type: ignore[arg-type]
        server.answers[word] = answer
        outcome = await courier.send(order, mail)  # type: ignore[arg-type]
        # the fresh session is refused as well: then it is the server, and the lane waits
        assert isinstance(outcome, Deferred)
        assert outcome.hold is Hold.LANE
        assert server.connections == 2
        del server.answers[word]
        assert isinstance(await courier.send(order, mail), Delivered)  # type: ignore[arg-type]
        await courier.close()
    assert len(server.mails) == 2
