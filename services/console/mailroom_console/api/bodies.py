"""What all requests share, and how long anything may be. Fields that are not known are skipped, so that newer clients can
talk to older consoles. The requests themselves: `configuration_bodies`, `ticket_bodies`, `access_bodies`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, Field, model_validator

# Halves of a character, which JSON can carry escaped (RFC 8259 section 8.2) and UTF-8 cannot, and NUL, which PostgreSQL
# does not keep: no database takes both.
_NO_TEXT = re.compile("[\\0\ud800-\udfff]")


class Body(BaseModel):
    """A request body; `given()` holds only what was sent."""

    @model_validator(mode="before")
    @classmethod
    def _is_text(cls, given: Any) -> Any:
        waiting = [given]
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                waiting += [*value, *value.values()]
            elif isinstance(value, list):
                waiting += value
            elif isinstance(value, str) and _NO_TEXT.search(value):
                raise ValueError("a text holds NUL or half a character (a lone surrogate)")
        return given

    def given(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


# Every string and every list has a limit, and the API's document says so: what passes here goes into one record of Kafka.
Id = Annotated[str, Field(max_length=64)]
Line = Annotated[str, Field(max_length=1000)]
Subject = Annotated[str, Field(max_length=1000)]
Name = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=200_000)]
Template = Annotated[str, Field(max_length=20_000)]
Revision = Annotated[int, Field(ge=0, lt=2**31)]
Ids = Annotated[list[Id], Field(max_length=2000)]
Lines = Annotated[list[Line], Field(max_length=200)]
