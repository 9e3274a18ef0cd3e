"""A ticket's state never outgrows a Kafka record, whatever comes: when it is full, and what goes out of it then. Pure.

Mail of a full ticket opens a follow-up. What agents and reports still do to a full ticket is done, and its oldest
summaries make room: the events keep everything, and no input of a ticket may fail for what came before it.
"""

from __future__ import annotations

from mailroom_contracts import Delivery, MessageSummary, TicketState, ids

FULL_MESSAGES = 500  # of every kind: mail, replies, notes, bounces
FULL_BYTES = 300_000
MOST_MESSAGES = FULL_MESSAGES + 100
MOST_BYTES = 600_000  # Kafka takes a megabyte; what one more input adds fits between the two
TRIMMED_BYTES = 450_000  # so long it is afterwards, so that it is not trimmed at each input
TRIMMED_MESSAGES = FULL_MESSAGES + 50
MOST_PEOPLE = 50  # who is kept of a state that is too long otherwise
_SMALL = 8  # messages; fewer cannot be too long, unless many people take part
_NEWEST = 50  # messages that keep all that is known of them as long as possible


def is_full(state: TicketState) -> bool:
    """Whether further mail opens a follow-up."""
    return len(state.messages) >= FULL_MESSAGES or _size(state) >= FULL_BYTES


def full_note(ticket_id: str) -> str:
    """Id of the note which says that the ticket is full."""
    return ids.message_id(ticket_id, "full")


def capped(state: TicketState) -> TicketState:
    """The state, no longer than it may be: what is needed least goes first."""
    if len(state.messages) > MOST_MESSAGES:
        state = _with_fewer(state, TRIMMED_MESSAGES, MOST_BYTES)
    if _size(state) <= MOST_BYTES:
        return state
    short = [_short(m) for m in state.messages[:-_NEWEST]]
    state = state.model_copy(update={"orders": [], "messages": [*short, *state.messages[-_NEWEST:]]})
    if _size(state) > TRIMMED_BYTES:
        state = state.model_copy(
            update={
                "participants": state.participants[-MOST_PEOPLE:],
                "unconfirmed": state.unconfirmed[-MOST_PEOPLE:],
                "third_parties": state.third_parties[-MOST_PEOPLE:],
                # what was quoted before a merge is only for taking the merge back
                "taken_in": [t.model_copy(update={"before": None}) for t in state.taken_in[-MOST_PEOPLE:]],
                "messages": [_short(m) for m in state.messages],
            }
        )
    if (size := _size(state)) > TRIMMED_BYTES:
        state = _with_fewer(state, TRIMMED_MESSAGES, TRIMMED_BYTES - (size - sum(map(_bytes, state.messages))))
    return state


def _size(state: TicketState) -> int:
    """Bytes of the state; 0 where it is certainly short."""
    people = len(state.participants) + len(state.unconfirmed) + len(state.third_parties)
    if len(state.messages) <= _SMALL and people <= MOST_PEOPLE and not state.taken_in:
        return 0
    return len(state.model_dump_json(by_alias=True))


def _bytes(message: MessageSummary) -> int:
    return len(message.model_dump_json(by_alias=True)) + 1


def _short(message: MessageSummary) -> MessageSummary:
    """Without the words of servers: they stand in the events."""
    if message.delivery is None:
        return message
    now = message.delivery
    return message.model_copy(update={"delivery": Delivery(state=now.state, at=now.at, next_try_at=now.next_try_at)})


def _with_fewer(state: TicketState, most: int, room: int) -> TicketState:
    """As many messages as fit. Notes and bounces go first, then what was sent, and mail that came in last: a repeat of
    it is known by its summary. Of each kind the oldest go."""
    messages, said = state.messages, full_note(state.id)
    newest_first = sorted(range(len(messages)), key=lambda n: (_rank(messages[n], said), n), reverse=True)
    keep: set[int] = set()
    for number in newest_first:
        room -= _bytes(messages[number])
        if room < 0 or len(keep) >= most:
            break
        keep.add(number)
    return state.model_copy(update={"messages": [m for number, m in enumerate(messages) if number in keep]})


def _rank(message: MessageSummary, said: str) -> int:
    if message.id == said:
        return 3
    if message.direction == "in" and message.kind != "bounce":
        return 2
    return 1 if message.direction == "out" else 0
