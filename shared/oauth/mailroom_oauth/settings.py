"""Where people can sign in, and who we are there: from the environment and the file MAILROOM_OAUTH_PROVIDERS."""

from __future__ import annotations

from mailroom_runtime.process.settings import SECRETS, problems, stop
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .providers import Provider, google, microsoft, read_file


class OAuthSettings(BaseSettings):
    """Providers of sign-ins for SMTP accounts. Each field is the variable MAILROOM_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="MAILROOM_", frozen=True, extra="ignore", hide_input_in_errors=True)

    microsoft_client_id: str = Field("", description="Application (client) id at Microsoft; empty: no sign-in there.")
    microsoft_client_secret: SecretStr = Field(SecretStr(""), description="Its client secret's value.")
    microsoft_authority: str = Field(
        "https://login.microsoftonline.com/common",
        description="Whose accounts: …/common (all), …/organizations, …/consumers, or …/<tenant id>.",
    )
    google_client_id: str = Field("", description="OAuth client id at Google.")
    google_client_secret: SecretStr = Field(SecretStr(""), description="OAuth client secret at Google.")
    google_auth_url: str = Field("https://accounts.google.com/o/oauth2/v2/auth", description="Google's consent page.")
    google_token_url: str = Field("https://oauth2.googleapis.com/token", description="Google's token endpoint.")
    oauth_providers: str = Field("", description="JSON file with further OpenID Connect providers; empty: none.")
    oauth_ca_file: str = Field("", description="CA certificates (PEM) for providers, besides the usual.")
    smtp_ca_file: str = Field("", description="CA certificates (PEM) of SMTP servers: taken for providers too.")
    oauth_timeout_s: float = Field(15.0, gt=0, le=60, description="Longest time for one call to a provider.")

    @field_validator("microsoft_authority")
    @classmethod
    def _https_with_a_path(cls, value: str) -> str:
        rest = value.removeprefix("https://").strip("/")
        if not value.startswith("https://") or rest.count("/") < 1:
            raise ValueError("must look like https://login.microsoftonline.com/common")
        return value.rstrip("/")

    @field_validator("oauth_providers")
    @classmethod
    def _readable(cls, value: str) -> str:
        if value:
            read_file(value)
        return value

    def providers(self) -> dict[str, Provider]:
        """Every provider that people can sign in at, by its id."""
        found: dict[str, Provider] = {}
        if self.microsoft_client_id:
            found["microsoft"] = microsoft(
                self.microsoft_authority, self.microsoft_client_id, self.microsoft_client_secret.get_secret_value()
            )
        if self.google_client_id:
            found["google"] = google(
                self.google_auth_url, self.google_token_url, self.google_client_id,
                self.google_client_secret.get_secret_value(),
            )  # fmt: skip
        extra: list[Provider] = read_file(self.oauth_providers) if self.oauth_providers else []
        return found | {provider.id: provider for provider in extra}

    def ca_files(self) -> tuple[str, ...]:
        """Further authorities for calls to providers."""
        return tuple(dict.fromkeys(f for f in (self.oauth_ca_file, self.smtp_ca_file) if f))


def load() -> OAuthSettings:
    """The settings of this process, secrets in files included. A wrong value ends the process, by name."""
    try:
        return OAuthSettings(_secrets_dir=SECRETS if SECRETS.is_dir() else None)
    except ValidationError as error:
        stop(problems(error))
