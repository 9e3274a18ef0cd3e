"""One mail transaction against a scripted server: with and without pipelining, and whatever servers answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiosmtplib
import pytest
from mailroom_outbound.courier import LEASE_LOST, Deferred, Delivered, Failed, Hold, Letter, Outcome
from mailroom_outbound.session import ConnectionBroken, Session
from mailroom_outbound.smtp import transaction

A, B = "a@c.example", "b@c.example"
RAW = b"Subject: x\r\n\r\n.\r\n..two\r\nend\r\n"


class Script:
    """Answers each command by its first words; `None` hangs up. Keeps what it heard and the content it was given."""

    def __init__(self, answers: dict[str, str | None], *, pipelining: bool, dribble: bool = False) -> None:
        self.answers = {"MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go", ".": "250 2.0.0 queued as 4F", **answers}
        self.pipelining, self.dribble = pipelining, dribble
        self.heard: list[str] = []
        self.content = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._say(writer, "220 hello")
        try:
            while line := (await reader.readline()).decode().strip():
                self.heard.append(line)
                if line.startswith("EHLO"):
                    await self._say(writer, "250-x\n250-PIPELINING\n250 SIZE 9" if self.pipelining else "250 x")
                    continue
                key = next((k for k in sorted(self.answers, key=len, reverse=True) if line.startswith(k)), "")
                answer = self.answers.get(key, "250 ok")
                if answer is None:
                    break
                hang_up = answer.endswith("!")
                await self._say(writer, answer.rstrip("!"))
                if hang_up:
                    break
                if answer.startswith("354"):
                    self.content = b""
                    while (data := await reader.readline()) != b".\r\n":
                        if not data:
                            return
                        self.content += data
                    await self._say(writer, self.answers["."] or "")
        finally:
            writer.close()

    async def _say(self, writer: asyncio.StreamWriter, text: str) -> None:
        data = text.replace("\n", "\r\n").encode() + b"\r\n"
        for piece in [bytes([byte]) for byte in data] if self.dribble else [data]:
            writer.write(piece)
            await writer.drain()
            if self.dribble:
                await asyncio.sleep(0)


async def with_script(script: Script, use: Callable[[Session], object]) -> Outcome:
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False, local_hostname="test")
    await client.connect()
    await client.ehlo()
    session = Session.over(client)
    try:
        async with asyncio.timeout(5):
            return await use(session)  # type: ignore[misc, no-any-return]
    finally:
        session.close()
        server.close()


async def run(script: Script, *recipients: str, ours: bool = True, raw: bytes = RAW) -> Outcome:
    mail = Letter(raw, "s@a.example", recipients or (A, B), still_ours=lambda: ours)
    return await with_script(script, lambda session: transaction(session, mail, raw))


pipelining = pytest.mark.parametrize("pipelining", [True, False])


@pipelining
@pytest.mark.parametrize("dribble", [True, False])
async def test_a_mail_arrives_with_its_dots(pipelining: bool, dribble: bool) -> None:
    script = Script({}, pipelining=pipelining, dribble=dribble)
    outcome = await run(script)
    assert outcome == Delivered("250 2.0.0 queued as 4F")
    assert script.content == RAW.replace(b"\r\n.", b"\r\n..")
    assert script.heard[1].startswith("MAIL FROM:<s@a.example>")
    assert script.heard[2:5] == [f"RCPT TO:<{A}>", f"RCPT TO:<{B}>", "DATA"]


@pipelining
async def test_bare_line_ends_cannot_end_the_mail_early(pipelining: bool) -> None:
    script = Script({}, pipelining=pipelining)
    await run(script, A, raw=b"Subject: x\n\nhi\n.\nMAIL FROM:<evil@x>\r.\rrest")
    assert script.content == b"Subject: x\r\n\r\nhi\r\n..\r\nMAIL FROM:<evil@x>\r\n..\r\nrest\r\n"
    assert [line for line in script.heard if line.startswith("MAIL")] == [script.heard[1]]


@pipelining
async def test_nobody_is_accepted(pipelining: bool) -> None:
    for data in ("354 go", "554 no valid recipients"):
        script = Script({"RCPT": "550 5.1.1 unknown", "DATA": data, ".": "554 nobody"}, pipelining=pipelining)
        outcome = await run(script)
        assert isinstance(outcome, Failed)
        assert {r.recipient for r in outcome.recipients} == {A, B}
        assert script.content == b""
        assert script.heard[-1] == "RSET"


@pipelining
async def test_one_is_refused_one_is_put_off(pipelining: bool) -> None:
    script = Script({f"RCPT TO:<{A}>": "550 5.1.1 unknown"}, pipelining=pipelining)
    outcome = await run(script)
    assert isinstance(outcome, Delivered)
    assert [(r.recipient, r.state) for r in outcome.recipients] == [(B, "sent"), (A, "failed")]
    script = Script({f"RCPT TO:<{A}>": "450 4.2.0 greylisted"}, pipelining=pipelining)
    outcome = await run(script)
    assert isinstance(outcome, Deferred)
    assert outcome.hold is Hold.MAIL
    assert [(r.recipient, r.state) for r in outcome.recipients] == [(B, "sent"), (A, "deferred")]


@pipelining
@pytest.mark.parametrize(
    ("answers", "kind", "hold"),
    [
        ({"MAIL": "550 5.7.1 no"}, Failed, None),
        ({"MAIL": "451 later", "RCPT": "503 first MAIL", "DATA": "503 first MAIL"}, Deferred, Hold.MAIL),
        ({"MAIL": "421 too many!"}, Deferred, Hold.SESSION),
        ({"RCPT": "421 closing!"}, Deferred, Hold.SESSION),
        ({"DATA": "451 later"}, Deferred, Hold.MAIL),
        ({".": "552 5.3.4 too big"}, Failed, None),
        ({".": "451 4.3.0 queue"}, Deferred, Hold.MAIL),
        ({".": "550 5.4.5 Daily sending quota exceeded"}, Deferred, Hold.LANE),
    ],
)
async def test_refusals(
    pipelining: bool, answers: dict[str, str | None], kind: type[Outcome], hold: Hold | None
) -> None:
    outcome = await run(Script(answers, pipelining=pipelining), A)
    assert isinstance(outcome, kind)
    if isinstance(outcome, Deferred):
        assert outcome.hold is hold


@pipelining
async def test_the_session_goes_on_after_a_refusal(pipelining: bool) -> None:
    script = Script({"RCPT TO:<no@c.example>": "550 5.1.1 unknown"}, pipelining=pipelining)

    async def three(session: Session) -> Outcome:
        for recipient in ("no@c.example", A, "no@c.example"):
            await transaction(session, Letter(RAW, "", (recipient,)), RAW)
        return await transaction(session, Letter(RAW, "", (B,)), RAW)

    assert isinstance(await with_script(script, three), Delivered)
    assert sum(line.startswith("MAIL FROM:<>") for line in script.heard) == 4


@pipelining
async def test_a_lease_that_was_lost_meanwhile(pipelining: bool) -> None:
    script = Script({}, pipelining=pipelining)
    assert await run(script, ours=False) is LEASE_LOST
    assert script.content == b""


@pipelining
async def test_hanging_up_and_nonsense(pipelining: bool) -> None:
    for answers in ({"DATA": None}, {"MAIL": "hello there"}, {"RCPT": "2x0 ok"}):
        with pytest.raises(ConnectionBroken):
            await run(Script(answers, pipelining=pipelining), A)  # type: ignore[arg-type]


@pipelining
async def test_addresses_that_are_commands(pipelining: bool) -> None:
    script = Script({}, pipelining=pipelining)
    outcome = await run(script, "x@c.example>\r\nRCPT TO:<victim@d.example", A)
    assert isinstance(outcome, Delivered)
    assert [r.state for r in outcome.recipients] == ["sent", "failed"]
    assert [line for line in script.heard if line.startswith("RCPT")] == [f"RCPT TO:<{A}>"]
    mail = Letter(RAW, "s@a>\r\nDATA", (A,))
    assert isinstance(await with_script(Script({}, pipelining=pipelining), lambda s: transaction(s, mail, RAW)), Failed)


async def test_letters_other_than_a_to_z_need_smtputf8() -> None:
    assert isinstance(await run(Script({}, pipelining=True), "jürgen@c.example"), Failed)
    script = Script({}, pipelining=True)
    await run(script, "jo@bücher.example")
    assert "RCPT TO:<jo@xn--bcher-kva.example>" in script.heard
