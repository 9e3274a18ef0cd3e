"""What goes wrong at a provider, told apart by who can mend it; the messages are for people and never hold a token."""

from __future__ import annotations


class OAuthTrouble(Exception):
    """Any trouble with a provider. `code`: the provider's own (invalid_grant, AADSTS65001), or a short word of ours."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class SignInNeeded(OAuthTrouble):
    """Only signing in again helps, perhaps after an administrator of the mailbox's organisation allowed it."""


class ProviderAway(OAuthTrouble):
    """It does not answer, or not sensibly: try again."""


class SetUpWrong(OAuthTrouble):
    """The registration of this installation at the provider is wrong: its operator must mend it."""
