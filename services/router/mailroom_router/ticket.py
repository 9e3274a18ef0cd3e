"""One input and a ticket's state give events, orders and the new state. Pure; everything a ticket does starts here."""

from __future__ import annotations

from mailroom_contracts import DeliveryReport, EmailRouted, TicketCommand, TicketState, ids

from .bounced import apply_report
from .commanding import carry_out
from .draft import ROUTER, Context, Decision, Draft, Input, causes, finish
from .incoming import add_mail

__all__ = ["Context", "Decision", "Draft", "Input", "decide", "finish", "too_large"]


def decide(state: TicketState | None, message: Input, context: Context, erased: tuple[str, ...] = ()) -> Draft:
    """Work on one input. When `wanted` is set afterwards, look for an agent; then `finish` gives the decision.

    An input that the state has seen before gives one event with an id of its own, and changes nothing; nor does one of
    `erased`, the inputs that the ticket had before it was erased.
    """
    draft = _begun(state, message, context)
    draft.before = erased if state is None else ()
    cause = draft.cause
    if cause in draft.before or (state is not None and _seen(state, cause, message)):
        draft.known = True
        draft.version -= 1  # the event stands at the version that the ticket has
        receipt = message.receipt_id if isinstance(message, EmailRouted) else None
        draft.ignore(message.ce_type, "already_known", "This was handled before.", receipt_id=receipt)
    elif isinstance(message, EmailRouted):
        add_mail(draft, message)
    elif isinstance(message, DeliveryReport):
        apply_report(draft, message)
    else:
        draft.actor, draft.command_type = message.actor or ROUTER, message.type
        carry_out(draft, message)
    return draft


def too_large(state: TicketState | None, command: TicketCommand, context: Context) -> Decision:
    """The decision on a command that leads to more than a Kafka record holds: refused, for a person to read."""
    draft = _begun(state, command, context)
    draft.actor, draft.command_type = command.actor or ROUTER, command.type
    draft.refuse("too_large", "It is too long to be kept. Send long parts as attachments.")
    return finish(draft)


def _begun(state: TicketState | None, message: Input, context: Context) -> Draft:
    cause, causation_id = causes(message)
    return Draft(
        state=state,
        ticket_id=message.ticket_id,
        portal_id=_portal(state, message),
        cause=cause,
        causation_id=causation_id,
        context=context,
        at=context.now,
        version=state.version if state is not None else 0,
        # a client may ask the same of several tickets under one id; every other input is of one ticket only
        many_tickets=isinstance(message, TicketCommand),
    )


def _portal(state: TicketState | None, message: Input) -> str:
    """Who a command is that does not say its portal, is told where the ticket is."""
    return message.portal_id or (state.portal_id if state is not None else "")


def _seen(state: TicketState, cause: str, message: Input) -> bool:
    """Handled before: among the recent inputs, or (far back) by the message that it made."""
    if cause in state.recent:
        return True
    if isinstance(message, EmailRouted) and message.reason != "bounce":
        wanted = ids.message_id(state.id, message.receipt_id)
        return any(m.id == wanted for m in state.messages)
    return False
