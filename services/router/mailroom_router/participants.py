"""Who takes part in a ticket: whoever wrote or was written to; never ourselves, never a list. Pure."""

from __future__ import annotations

from mailroom_contracts import EmailRouted, Person, Recipients
from mailroom_mail import comparable

from .authorship import UNKNOWN, not_people, people
from .draft import MOST_PEOPLE, Draft


def take_in(draft: Draft, routed: EmailRouted, writer: Person) -> None:
    """`writer` and recipients of the mail take part from now on; our own addresses and lists do not."""
    meet_lists(draft, routed)
    content, state = routed.received.content, draft.ticket
    wrote = [] if routed.author_grade == UNKNOWN else [writer]
    boxes = people([*wrote, *content.to, *content.cc], state.lists)
    new = [e for box in boxes if not draft.context.book.is_ours(e := comparable(box.email), state.portal_id)]
    if set(new) - set(state.participants):
        draft.change(participants=list(dict.fromkeys([*state.participants, *new]))[:MOST_PEOPLE])


def lists_of(draft: Draft, routed: EmailRouted) -> list[str]:
    """The mailing lists that are known of with this mail: met in its ticket before, in it, or named by an address."""
    book, content = draft.context.book, routed.received.content
    seen = [comparable(box.email) for box in (*content.to, *content.cc, *content.reply_to)]
    named = [email for email in seen if book.is_named_list(email, routed.portal_id)]
    met = draft.state.lists if draft.state is not None else []
    return list(dict.fromkeys([*met, *not_people(routed.received), *named]))[:MOST_PEOPLE]


def meet_lists(draft: Draft, routed: EmailRouted) -> None:
    """Remember the lists that had a mail in hand: whatever came before or comes later, they take no part."""
    leave_out(draft, lists_of(draft, routed))


def leave_out(draft: Draft, lists: list[str]) -> None:
    """These, and no others, are the ticket's lists from now on: they take no part and are not answered."""
    state = draft.ticket
    if lists == state.lists:
        return
    answers = state.answers
    if answers is not None:
        both = (answers.reply, answers.reply_all)
        reply, reply_all = (Recipients(to=people(one.to, lists), cc=people(one.cc, lists)) for one in both)
        answers = answers.model_copy(update={"reply": reply, "reply_all": reply_all})
    answered = state.answer_to is not None and comparable(state.answer_to.email) in lists
    draft.change(
        lists=lists,
        participants=[one for one in state.participants if one not in lists],
        unconfirmed=[one for one in state.unconfirmed if one not in lists],
        answers=answers,
        answer_to=None if answered else state.answer_to,
    )
