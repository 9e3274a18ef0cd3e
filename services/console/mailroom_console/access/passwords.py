"""Passwords and other secrets that prove who somebody is. argon2id for passwords, digests for random tokens."""

from __future__ import annotations

import asyncio
import hashlib
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from mailroom_console.languages import say
from mailroom_console.problems import invalid

SHORTEST, LONGEST = 10, 200
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's second choice for argon2id
_NOBODY = (
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$"  # costs the same as a real one, and never matches
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


def acceptable(password: str, *, email: str = "") -> str:
    """The password. Raises `Problem` 422 for one that is too short, too long, or the address itself."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise invalid(
            "password",
            say("A password has {shortest} to {longest} characters.", shortest=SHORTEST, longest=LONGEST),
            "weak_password",
        )
    if email and password.lower() in (email.lower(), email.lower().partition("@")[0]):
        raise invalid("password", say("The password must not be your address."), "weak_password")
    if len(set(password)) < 4:
        raise invalid("password", say("The password repeats itself too much."), "weak_password")
    return password


async def hashed(password: str) -> str:
    """The hash to store; takes some 30 ms of a thread."""
    return await asyncio.to_thread(_hasher.hash, password)


async def matches(stored: str | None, password: str) -> bool:
    """Whether it is the password; takes as long for nobody's, so that time tells nothing."""

    def check() -> bool:
        try:
            return _hasher.verify(stored or _NOBODY, password) and stored is not None
        except (VerifyMismatchError, InvalidHashError):
            return False

    return await asyncio.to_thread(check)


def needs_rehash(stored: str) -> bool:
    """Whether it was made with other costs than today's."""
    return _hasher.check_needs_rehash(stored)


def drawn(prefix: str = "") -> str:
    """A new random secret of 256 bits."""
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a random secret: nobody can get back from it."""
    return hashlib.sha256(secret.encode()).hexdigest()
