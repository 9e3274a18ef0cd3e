"""Signing SMTP accounts in at their providers (Microsoft, Google, any OpenID Connect provider), and their tokens.

Shared by the console (signs in) and outbound (renews, sends); neither knows the libraries behind it.
"""

from .grants import Begun, Grant, Tokens
from .keeper import Keeper
from .providers import Provider
from .settings import OAuthSettings
from .settings import load as load_settings
from .sign_in import Providers
from .smtp_session import SignedIn
from .token_topic import TokenTopic
from .trouble import OAuthTrouble, ProviderAway, SetUpWrong, SignInNeeded

__all__ = [
    "Begun",
    "Grant",
    "Keeper",
    "OAuthSettings",
    "OAuthTrouble",
    "Provider",
    "ProviderAway",
    "Providers",
    "SetUpWrong",
    "SignInNeeded",
    "SignedIn",
    "TokenTopic",
    "Tokens",
    "load_settings",
]
