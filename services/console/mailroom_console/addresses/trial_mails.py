"""The auto-reply editor: a preview with a sample mail, and "send me a test"."""

from __future__ import annotations

from typing import Any

from mailroom_contracts import OutboundMail, Person, ids, topics
from mailroom_mail import comparable
from mailroom_mail.writing.templates import RenderedReply, TemplateBroken, TemplateContext, check_template, render
from mailroom_runtime.bus.kafka import BusDown
from sqlalchemy import select

from mailroom_console import times
from mailroom_console.access import passwords, throttle
from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.mailboxes import people
from mailroom_console.principals import CONFIG, READ, Principal
from mailroom_console.problems import Problem, conflict
from mailroom_console.storage.schema import agents, queues

from . import records as addresses

MOST_AN_HOUR = 20


def preview(
    principal: Principal, subject: str, content: str, *, queue_name: str = "Support",
    sample: dict[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The reply as a sample customer would get it: `{subject, content, problems}`."""
    principal.require(READ)
    problems = check_template(subject, content)
    if problems:
        return {"subject": "", "content": "", "problems": problems}
    try:
        rendered = _rendered(subject, content, queue_name, sample or {})
    except TemplateBroken as error:
        return {"subject": "", "content": "", "problems": [str(error)]}
    return {"subject": rendered.subject, "content": rendered.content, "problems": []}


async def send(
    console: Console, principal: Principal, address_id: str, *, to: str, subject: str | None = None,
    content: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Send the auto reply of an address (or the text being edited) to who asks, as a test: `{outbound_id}`.

    To nobody else, and a few an hour: else a stolen token would write to strangers in the company's name. A program
    has no address of its own; it may name one at which somebody of the portal signs in.
    """
    principal.require(CONFIG)
    recipient = people([to], "to")
    if not recipient:
        raise conflict("no_recipient", say("Say where the test goes."))
    async with console.database.read() as connection:
        row = await addresses.row_of(connection, principal, address_id)
        queue_name = await connection.scalar(select(queues.c.name).where(queues.c.id == row.queue_id))
    await _check_own(console, principal, comparable(recipient[0].email))
    await throttle.take(
        console, f"test-mail:{principal.id}", most=MOST_AN_HOUR, within_us=times.HOUR, told="That were many test mails."
    )
    if not row.active:
        raise conflict("inactive_address", say("{email} is disabled.", email=row.email))
    try:
        rendered = _rendered(
            subject if subject is not None else row.auto_reply.get("subject", ""),
            content if content is not None else row.auto_reply.get("content", ""), str(queue_name or ""), {},
        )  # fmt: skip
    except TemplateBroken as error:
        raise Problem(422, "bad_template", say("The template: {error}", error=error), field="auto_reply") from None
    now = console.now()
    order_id = ids.derive("test", address_id, passwords.drawn())
    domain = row.email.rpartition("@")[2]
    order = OutboundMail(
        id=order_id, portal_id=principal.portal_id, ticket_id=address_id, message_id=order_id, address_id=address_id,
        kind="test", from_=Person(email=row.email, name=row.full_name), to=recipient, subject=rendered.subject,
        text=rendered.content, rfc_message_id=f"test.{order_id}@{domain}", auto_submitted="auto-generated",
        created_at=times.moment(now), not_after=times.moment(now + times.HOUR),
    )  # fmt: skip
    try:
        await console.producer.send(topics.EMAIL_OUTBOUND, order)
    except BusDown:
        raise Problem(503, "bus_unavailable", say("Kafka does not answer. Nothing was sent; try again.")) from None
    return {"outbound_id": order_id, "to": recipient[0].email}


async def _check_own(console: Console, principal: Principal, wanted: str) -> None:
    if principal.kind == "session":
        own = comparable(principal.email) == wanted
    else:
        here = select(agents.c.email).where(agents.c.portal_id == principal.portal_id, agents.c.active)
        async with console.database.read() as connection:
            own = wanted in {comparable(email) for email in (await connection.execute(here)).scalars()}
    if not own:
        raise Problem(403, "not_your_address", say("A test mail goes to your own address only."), field="to")


def _rendered(subject: str, content: str, queue_name: str, sample: dict[str, str]) -> RenderedReply:
    return render(
        subject, content,
        TemplateContext.of(
            ticket_number=sample.get("number", "MR-7K3F9Q2X"), customer_name=sample.get("name", "Jo Customer"),
            customer_email=sample.get("email", "jo@customer.example"),
            subject=sample.get("subject", "My order has not arrived"), queue_name=queue_name,
        ),
    )  # fmt: skip
