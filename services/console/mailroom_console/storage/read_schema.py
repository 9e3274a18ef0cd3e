"""The read model's tables, twice: one generation is shown while the other is rebuilt beside it.

Everything here comes from `ticket.events` alone and may be deleted at any time.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, String, Table, Text, text
from sqlalchemy.types import JSON

from .schema import Id, Serial, metadata

SEQUENCE = "read_model_tickets"  # on PostgreSQL, of `tickets.seq`: several copies write at once
FORM = 5  # raise it when the projection changes: the tables are then rebuilt in the background


@dataclass(frozen=True, slots=True)
class ReadTables:
    """The tables of one generation."""

    generation: int
    tickets: Table
    messages: Table
    tags: Table
    history: Table
    counters: Table
    bounces: Table
    outcomes: Table
    offsets: Table

    @property
    def search(self) -> str:
        """Name of the full-text table (SQLite; PostgreSQL keeps a column in `tickets`)."""
        return f"rm{self.generation}_search"

    @property
    def vocabulary(self) -> str:
        """Name of the table of the terms in it (SQLite)."""
        return f"rm{self.generation}_vocabulary_search"

    @property
    def all(self) -> tuple[Table, ...]:
        return (
            self.tickets,
            self.messages,
            self.tags,
            self.history,
            self.counters,
            self.bounces,
            self.outcomes,
            self.offsets,
        )


def _make(g: int, into: MetaData) -> ReadTables:
    tickets = Table(
        f"rm{g}_tickets", into,
        Column("seq", Serial, primary_key=True, autoincrement=False),
        Column("id", Id, nullable=False, unique=True),
        Column("number", String(24), nullable=False),
        Column("portal_id", Id, nullable=False),
        Column("queue_id", Id, nullable=False),
        Column("address_id", Id, nullable=False),
        Column("status", String(20), nullable=False),
        Column("place", String(20), nullable=False),  # its status; or snoozed, spam or merged, where it lies apart
        Column("assignee_id", Id),
        Column("subject", Text, nullable=False),
        Column("customer_email", Text, nullable=False),
        Column("customer_key", Text, nullable=False, server_default=""),  # as addresses are compared
        Column("customer_name", Text, nullable=False),
        Column("follow_up_of", Id),
        Column("linked_to", Id),
        Column("gmail_thread_id", Text),
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
        Column("version", Integer, nullable=False),
        Column("message_count", Integer, nullable=False, default=0),
        Column("last_text", Text, nullable=False, default=""),
        Column("closed_at", BigInteger),  # since when it is closed
        # a message may have files whose time is not over
        Column("has_files", Boolean, nullable=False, default=False, server_default=text("true")),
        Column("customer_at", BigInteger),  # when the customer wrote last
        Column("answered_at", BigInteger),  # when a person answered last
        Column("waiting", Boolean, nullable=False, default=False),  # not closed, and the customer wrote last
        Column("failed", Integer, nullable=False, default=0),  # outgoing messages that did not arrive
        Column("tags", JSON, nullable=False),
        Column("snoozed_until", BigInteger),
        Column("merged_into", Id),
        Column("spam", Boolean, nullable=False, default=False),
        Column("answers", JSON(none_as_null=True)),  # whom an answer goes to: reply, reply_all, warnings, message_id
        Index(f"ix_rm{g}_number", "portal_id", "number"),
        Index(f"ix_rm{g}_place", "portal_id", "place", "updated_at", "seq"),
        Index(f"ix_rm{g}_queue_place", "portal_id", "queue_id", "place", "updated_at", "seq"),
        Index(f"ix_rm{g}_assignee_place", "portal_id", "assignee_id", "place", "updated_at", "seq"),
        Index(f"ix_rm{g}_queue_assignee_place", "portal_id", "queue_id", "assignee_id", "place", "updated_at", "seq"),
        Index(f"ix_rm{g}_address_place", "portal_id", "address_id", "place", "updated_at", "seq"),
        Index(f"ix_rm{g}_customer", "portal_id", "customer_key", "updated_at"),
        Index(f"ix_rm{g}_merged", "merged_into", sqlite_where=text("merged_into IS NOT NULL"),
              postgresql_where=text("merged_into IS NOT NULL")),
        Index(f"ix_rm{g}_failed", "portal_id", "queue_id", "updated_at", "seq",
              sqlite_where=text("failed > 0"), postgresql_where=text("failed > 0")),
        Index(f"ix_rm{g}_closed", "portal_id", "closed_at", "has_files", "seq",
              sqlite_where=text("closed_at IS NOT NULL"), postgresql_where=text("closed_at IS NOT NULL")),
        Index(f"ix_rm{g}_waiting", "portal_id", "queue_id", "updated_at", "seq",
              sqlite_where=text("waiting"), postgresql_where=text("waiting")),
    )  # fmt: skip
    messages = Table(
        f"rm{g}_messages", into,
        Column("id", Id, primary_key=True),
        Column("ticket_id", Id, nullable=False),
        Column("portal_id", Id, nullable=False),
        Column("direction", String(8), nullable=False),
        Column("kind", String(24), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("version", Integer, nullable=False),
        Column("address_id", Id),
        Column("outbound_id", Id),
        Column("delivery_state", String(20)),
        Column("delivery", JSON(none_as_null=True)),
        Column("new_sender", Boolean, nullable=False, default=False),
        Column("split_to", Id),  # the ticket that it was moved to
        Column("files_removed", Integer),  # its files are: so many days after the ticket was closed
        Column("document", Text, nullable=False),  # the TicketMessage as it was in the event
        Index(f"ix_rm{g}_conversation", "ticket_id", "at", "id"),
        Index(f"ix_rm{g}_at", "at"),  # the copies of a mail in several tickets have one time
    )  # fmt: skip
    tags = Table(
        f"rm{g}_tags", into,
        Column("ticket_id", Id, primary_key=True),
        Column("tag", String(80), primary_key=True),  # lower case
        Column("portal_id", Id, nullable=False),
        Column("name", String(80), nullable=False),
        # of the ticket, so that a tag's tickets are walked in the order of lists
        Column("seq", BigInteger, nullable=False, server_default="0"),
        Column("place", String(20), nullable=False, server_default=""),
        Column("updated_at", BigInteger, nullable=False, server_default="0"),
        Index(f"ix_rm{g}_tag_place", "portal_id", "tag", "place", "updated_at", "seq"),
    )  # fmt: skip
    history = Table(
        f"rm{g}_history", into,
        Column("id", Id, primary_key=True),
        Column("ticket_id", Id, primary_key=True),  # one mail may cause the same change of two tickets
        Column("version", Integer, nullable=False),
        Column("type", String(40), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("document", Text, nullable=False),  # the event without what all have
        Index(f"ix_rm{g}_history", "ticket_id", "version"),
    )  # fmt: skip
    counters = Table(
        f"rm{g}_counters", into,
        Column("address_id", Id, primary_key=True),
        Column("day", Integer, primary_key=True),
        Column("hour", Integer, primary_key=True),
        Column("portal_id", Id, nullable=False, index=True),
        Column("mails_in", Integer, nullable=False, default=0),
        Column("mails_out", Integer, nullable=False, default=0),
    )  # fmt: skip
    bounces = Table(
        f"rm{g}_bounces", into,
        Column("id", Id, primary_key=True),
        Column("portal_id", Id, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("reason", Text, nullable=False),
        Column("receipt_id", Id),
        Column("document", Text),
        Column("ticket_id", Id),  # under which its event is: of none that there is
        Index(f"ix_rm{g}_bounces", "portal_id", "at", "id"),
    )  # fmt: skip
    outcomes = Table(
        f"rm{g}_outcomes", into,
        Column("causation_id", Id, primary_key=True),
        Column("ticket_id", Id, nullable=False),
        Column("type", String(40), nullable=False),
        Column("code", String(40)),
        Column("reason", Text),
        Column("message_id", Id),
        Column("at", BigInteger, nullable=False),
    )  # fmt: skip
    offsets = Table(
        f"rm{g}_offsets", into,
        Column("partition", Integer, primary_key=True),
        Column("next_offset", BigInteger, nullable=False),
        # copies of what lay there are new to these tables: it was deleted before it was read
        Column("missed_from", BigInteger, nullable=False, server_default="0"),
        Column("missed_to", BigInteger, nullable=False, server_default="0"),
    )  # fmt: skip
    return ReadTables(g, tickets, messages, tags, history, counters, bounces, outcomes, offsets)


GENERATIONS: tuple[ReadTables, ReadTables] = (_make(0, metadata), _make(1, metadata))
