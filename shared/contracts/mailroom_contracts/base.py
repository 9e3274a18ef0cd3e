"""What all contract models share: tolerant reading, and fields that always say what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

_NO_OFFSET = timedelta(0)
_set = object.__setattr__  # of a frozen model


def _utc(at: datetime) -> datetime:
    if at.utcoffset() == _NO_OFFSET:
        return at
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("in UTC this is not within the years 1 to 9999") from None


Time = Annotated[datetime, AwareDatetime, AfterValidator(_utc)]
"""A moment. Given with a time zone, kept and written in UTC with Z."""


class Model(BaseModel):
    """A frozen record that skips fields it does not know, so that an older reader reads a newer writer."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, ser_json_timedelta="float", defer_build=True
    )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, in a third of the time: there is neither private nor extra data here."""
        if deep:
            return super().model_copy(update=update, deep=True)
        cls = type(self)
        made = cls.__new__(cls)
        fields = self.__pydantic_fields_set__
        _set(made, "__dict__", {**self.__dict__, **update} if update else dict(self.__dict__))
        _set(made, "__pydantic_extra__", None)
        _set(made, "__pydantic_private__", None)
        _set(made, "__pydantic_fields_set__", fields.union(update) if update else set(fields))
        return made


def says(description: str, example: Any, **kwargs: Any) -> Any:
    """A field with its description and an example; both go into the JSON Schemas."""
    return Field(description=description, examples=[example], **kwargs)


def _is_empty(value: object) -> bool:
    return not value


LATER_LIST: dict[str, Any] = {"default_factory": list, "exclude_if": _is_empty}
"""For `says`: a list that came after a model was published. Older records lack it, so no schema may demand it, and it is
left out where it is empty: code generated from the schema (Go, Rust) leaves out what is empty and not demanded."""


def known(*values: str) -> dict[str, Any]:
    """Schema note for an open enumeration: these values are used today, a reader must skip others."""
    return {"x-known-values": list(values)}


class Message(Model):
    """A value of a topic. `ce_*` fill the CloudEvents headers; `record_key` is the Kafka key."""

    @property
    def ce_id(self) -> str:
        raise TypeError(f"{type(self).__name__} does not say its event id")

    @property
    def ce_type(self) -> str:
        raise TypeError(f"{type(self).__name__} does not say its event type")

    @property
    def ce_subject(self) -> str:
        """What the event is about: by default the same as the Kafka key."""
        return self.record_key

    @property
    def record_key(self) -> str:
        raise TypeError(f"{type(self).__name__} does not say its key")

    @property
    def ce_time(self) -> datetime | None:
        """When it happened (UTC), or None: then the time of encoding stands."""
        return None


class AboutTicket(Message):
    """A record that has an id of its own, and its ticket for a key."""

    if TYPE_CHECKING:  # each declares them itself, with what they mean there
        id: str
        ticket_id: str

    @property
    def record_key(self) -> str:
        return self.ticket_id

    @property
    def ce_id(self) -> str:
        return self.id


class TicketRecord(AboutTicket):
    """A command to a ticket or an event of one: it says its own type and time."""

    if TYPE_CHECKING:
        type: str
        at: Time

    @property
    def ce_type(self) -> str:
        return self.type

    @property
    def ce_time(self) -> Time:
        return self.at
