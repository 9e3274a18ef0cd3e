"""Tickets that become one, and one that becomes two. Each ticket decides for itself; what it asks of another is a
command to it, so that both may lie in different partitions (decision 0042). Pure."""

from __future__ import annotations

from typing import Any

from mailroom_contracts import (
    Answered,
    BeginFrom,
    GaveBack,
    GiveBack,
    Merge,
    Merged,
    MessageAdded,
    MessageSplit,
    MessageSummary,
    Split,
    TakeIn,
    TakenIn,
    TicketCreated,
    TicketState,
    TookIn,
    Unmerge,
    Unmerged,
    ids,
)
from mailroom_mail import comparable, ticket_number

from .authorship import people
from .draft import MOST_PEOPLE, ROUTER, Draft
from .participants import leave_out

MOST_MERGES = 100
_ANSWERED = ("answers", "answer_to", "answered", "quote", "last_customer_at")


def merge(draft: Draft, command: Merge) -> None:
    """This ticket's conversation goes on in another one."""
    state = draft.ticket
    if state.merged_into is not None:
        draft.refuse("merged", "This ticket was merged before.")
        return
    if command.into == state.id:
        draft.refuse("same_ticket", "A ticket cannot be merged into itself.")
        return
    draft.emit(Merged, into=command.into)
    draft.change(merged_into=command.into, status_before_merge=state.status, wants_online=False, snoozed_until=None)
    if state.status != "closed":
        draft.set_status("closed", "merged")
    draft.commands.append(_ask(draft, command.into))


def unmerge(draft: Draft, command: Unmerge) -> None:
    """The ticket stands by itself again, as it stood before."""
    state = draft.ticket
    if state.merged_into is None:
        draft.refuse("not_merged", "This ticket is not merged.")
        return
    into, before = state.merged_into, state.status_before_merge or "open"
    draft.emit(Unmerged, previous=into)
    draft.change(merged_into=None, status_before_merge=None)
    if before != state.status:
        draft.set_status(before, "unmerged")
    draft.commands.append(GiveBack(source_id=state.id, source_number=state.number, **_to(draft, into, "give-back")))


def take_in(draft: Draft, command: TakeIn) -> None:
    """Another ticket was merged into this one: its people take part, and the later of the two last mails is answered."""
    state = draft.state
    if state is None or state.portal_id != command.portal_id or state.merged_into is not None:
        told = "That ticket was merged itself." if state is not None else "There is no such ticket."
        draft.refuse("not_merged", told)
        draft.commands.append(Unmerge(**_to(draft, command.source_id, "unmerge")))
        return
    if any(t.id == command.source_id for t in state.taken_in):
        draft.ignore(command.type, "unchanged", "It was taken in before.")
        return
    lists = list(dict.fromkeys([*state.lists, *command.lists]))[:MOST_PEOPLE]
    added = [p for p in command.participants if p not in state.participants and p not in lists]
    taken = TakenIn(id=command.source_id, number=command.source_number, added=added, before=_answered(state))
    changes: dict[str, Any] = {}
    last = command.last
    if last is not None and last.last_customer_at is not None:
        own = state.last_customer_at
        if own is None or last.last_customer_at > own:
            changes = {name: getattr(last, name) for name in _ANSWERED}
    draft.change(
        participants=[*state.participants, *added][:MOST_PEOPLE],
        third_parties=list(dict.fromkeys([*state.third_parties, *command.third_parties]))[:MOST_PEOPLE],
        taken_in=[*state.taken_in, taken][-MOST_MERGES:],
        **changes,
    )
    leave_out(draft, lists)
    draft.emit(TookIn, source_id=command.source_id, source_number=command.source_number, answers=draft.ticket.answers)


def give_back(draft: Draft, command: GiveBack) -> None:
    """A merge was undone: whoever came with it takes no part any more, and is answered here no more."""
    state = draft.state
    taken = next((t for t in state.taken_in if t.id == command.source_id), None) if state is not None else None
    if state is None or taken is None:
        draft.ignore(command.type, "unchanged", "It was not merged into this ticket.")
        return
    added = set(taken.added)
    rest = [t for t in state.taken_in if t.id != command.source_id]
    own = {m.id for m in state.messages}

    def leaves(message: MessageSummary | None) -> bool:
        if message is None:
            return False
        writer = _writer(message)
        return writer in added or (message.id not in own and not any(writer in t.added for t in rest))

    changes: dict[str, Any] = {}
    if taken.before is not None:
        # what other merges would come back to must not be theirs who leave either
        before = {"before": taken.before}
        rest = [t.model_copy(update=before) if t.before and leaves(t.before.answered) else t for t in rest]
        if leaves(state.answered):
            changes = {name: getattr(taken.before, name) for name in _ANSWERED}
    draft.change(participants=[p for p in state.participants if p not in added], taken_in=rest, **changes)
    draft.emit(GaveBack, source_id=command.source_id, source_number=taken.number, answers=draft.ticket.answers)
    if (further := draft.ticket.merged_into) is not None:
        # who left here leaves there too: this ticket is given back, and taken in again as it is now
        draft.commands.append(GiveBack(source_id=state.id, source_number=state.number, **_to(draft, further, "again")))
        draft.commands.append(_ask(draft, further))


def split(draft: Draft, command: Split) -> None:
    """A mail of this ticket begins a ticket of its own."""
    state = draft.ticket
    message = draft.find(id=command.message_id, direction="in")
    if message is None or message.kind != "mail" or command.message.id != command.message_id:
        draft.refuse("unknown_message", "The ticket has no such mail.")
        return
    if sum(m.direction == "in" and m.kind == "mail" for m in state.messages) < 2:
        draft.refuse("only_message", "It is the ticket's only mail.")
        return
    ticket = ids.derive("split", state.id, message.id)
    draft.emit(MessageSplit, message_id=message.id, to_ticket=ticket)
    if state.answered is not None and state.answered.id == message.id:
        rest = [m for m in state.messages if m.direction == "in" and m.kind == "mail" and m.id != message.id]
        draft.change(answered=rest[-1], answers=None, answer_to=state.customer, quote=None)
    draft.commands.append(
        BeginFrom(
            source_id=state.id,
            queue_id=state.queue_id,
            address_id=state.address_id,
            assignee_id=state.assignee_id,
            message=command.message,
            **_to(draft, ticket, "begin-from"),
        )
    )


def begin_from(draft: Draft, command: BeginFrom) -> None:
    """A ticket that begins with a mail of another one."""
    if draft.state is not None:
        draft.ignore(command.type, "already_known", "This ticket was begun before.")
        return
    origin = command.message
    customer = origin.answers.reply.to[0] if origin.answers and origin.answers.reply.to else None
    wrote = origin.written_by or origin.from_
    customer = customer or wrote
    message = origin.model_copy(
        update={
            "id": ids.message_id(draft.ticket_id, origin.id),
            "split_from": origin.id,
            "new_sender": False,
            "sets_answers": True,
            "copy_of": None,
        }
    )
    if customer is None:
        draft.refuse("unknown_message", "The mail names nobody who wrote it.")
        return
    summary = MessageSummary(
        id=message.id,
        direction="in",
        kind=message.kind,
        message_id=message.message_id,
        from_email=wrote.email if wrote else customer.email,
        at=message.at,
        address_id=message.address_id,
    )
    taking_part = people([*([wrote] if wrote else []), customer], origin.lists)
    state = TicketState(
        id=draft.ticket_id,
        number=ticket_number(draft.ticket_id),
        portal_id=command.portal_id,
        queue_id=command.queue_id,
        address_id=command.address_id,
        status="open",
        subject=message.subject[:1000],
        customer=customer,
        root=message.message_id or f"identity:{message.id}",
        participants=[comparable(one.email) for one in taking_part],
        lists=origin.lists,
        linked_to=command.source_id,
        answers=message.answers,
        answer_to=next(iter(people([customer], origin.lists)), None),
        answered=summary,
        last_customer_at=message.at,
        created_at=draft.at,
        updated_at=draft.at,
    )
    draft.state = state
    draft.emit(
        TicketCreated,
        number=state.number,
        queue_id=state.queue_id,
        address_id=state.address_id,
        subject=state.subject,
        customer=customer,
        root=state.root,
        linked_to=command.source_id,
        receipt_id=f"split:{origin.id}",
        received_at=message.at,
        begun_by="split",
        split_from=command.source_id,
    )
    draft.emit(MessageAdded, message=message)
    draft.add_summary(summary)
    if command.assignee_id and draft.context.book.agent(command.assignee_id, command.portal_id) is not None:
        draft.assign(command.assignee_id, "agent")


def keep_in_mind(draft: Draft) -> None:
    """The customer's last mail is another: where its writer did not come by a merge, undoing one comes back to it."""
    state = draft.ticket
    if not state.taken_in or state.answered is None:
        return
    writer, present = _writer(state.answered), _answered(state)
    kept = [t if writer in t.added else t.model_copy(update={"before": present}) for t in state.taken_in]
    draft.change(taken_in=kept)


def _ask(draft: Draft, into: str) -> TakeIn:
    state = draft.ticket
    return TakeIn(
        source_id=state.id,
        source_number=state.number,
        participants=state.participants,
        third_parties=state.third_parties,
        lists=state.lists,
        last=_answered(state),
        **_to(draft, into, "take-in"),
    )


def _answered(state: TicketState) -> Answered:
    return Answered(**{name: getattr(state, name) for name in _ANSWERED})


def _writer(message: MessageSummary) -> str:
    return comparable(message.from_email or "")


def _to(draft: Draft, ticket: str, purpose: str) -> dict[str, Any]:
    return {
        "id": ids.derive(purpose, draft.cause, ticket),
        "ticket_id": ticket,
        "portal_id": draft.portal_id,
        "actor": ROUTER,
        "at": draft.at,
    }
