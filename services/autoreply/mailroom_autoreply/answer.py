"""Builds the command that sends an automatic reply. Pure."""

from __future__ import annotations

from datetime import datetime

from mailroom_contracts import Actor, Address, AutoReplyCommand, OfficeHours, Queue, TicketCreated, ids
from mailroom_mail.writing.templates import TemplateContext, render

from .office import is_open


def command(
    created: TicketCreated,
    *,
    address: Address,
    queue: Queue | None,
    not_after: datetime,
    now: datetime,
    hours: OfficeHours | None = None,
) -> AutoReplyCommand:
    """The command, its id derived from the ticket. Outside of the portal's office hours (when the mail came) with the
    address's text for then. Raises `mailroom_mail.writing.templates.TemplateBroken`."""
    outside = address.auto_reply.outside_content
    content = outside if outside and not is_open(hours, created.received_at) else address.auto_reply.content
    context = TemplateContext.of(
        ticket_number=created.number,
        customer_name=created.customer.name,
        customer_email=created.customer.email,
        subject=created.subject,
        queue_name=queue.name if queue else "",
    )
    rendered = render(address.auto_reply.subject, content, context)
    return AutoReplyCommand(
        id=ids.command_id(created.portal_id, created.ticket_id, "auto-reply"),
        ticket_id=created.ticket_id,
        portal_id=created.portal_id,
        actor=Actor(kind="autoreply"),
        at=now,
        receipt_id=created.receipt_id,
        address_id=address.id,
        to=created.customer,
        subject=rendered.subject,
        text=rendered.content,
        not_after=not_after,
    )
