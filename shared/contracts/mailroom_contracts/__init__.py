"""Topics, events, commands and configuration of Mailroom, as pydantic models."""
