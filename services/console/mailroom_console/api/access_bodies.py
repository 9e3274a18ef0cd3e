"""What is sent to sign in, and about passwords and tokens."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .bodies import Body, Line

Scopes = Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=20)]


class TokenIn(Body):
    name: Line
    scopes: Scopes
    days: int | None = Field(None, ge=1, le=3650, description="It ends after so many days.")


class SignInBody(Body):
    email: Line
    password: Line


class PasswordChange(Body):
    old: Line
    new: Line


class InvitationAnswer(Body):
    token: Line
    password: Line
