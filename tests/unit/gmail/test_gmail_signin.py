"""Signing in at Google: what is asked, what was left unchecked, what is kept."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest
from mailroom_gmail import SCOPES, GoogleSettings, Grant, kept_token, missing_scopes, oauth, token_to_keep

SETTINGS = GoogleSettings(
    client_id="id", auth_url="https://accounts.example/auth", token_url="https://t.example/oauth2/token"
)


def asked(url: str) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}


def test_the_url_asks_for_lasting_access_with_state_and_pkce() -> None:
    one, other = (oauth.begin(SETTINGS, "http://here/back", login_hint="shop@gmail.example") for _ in range(2))
    query = asked(one.url)
    assert query["access_type"] == "offline"
    assert query["include_granted_scopes"] == "true"
    assert query["prompt"] == "consent"
    assert query["state"] == one.state
    assert query["login_hint"] == "shop@gmail.example"
    assert query["redirect_uri"] == "http://here/back"
    assert query["scope"].split() == list(SCOPES)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(one.verifier.encode()).digest()).rstrip(b"=").decode()
    assert (query["code_challenge"], query["code_challenge_method"]) == (challenge, "S256")
    assert 43 <= len(one.verifier) <= 128, "RFC 7636 section 4.1"
    assert one.verifier not in one.url
    assert {one.state, one.verifier}.isdisjoint({other.state, other.verifier})


def test_nobody_is_hinted_at_for_a_new_address() -> None:
    assert "login_hint" not in asked(oauth.begin(SETTINGS, "http://here/back").url)


def test_what_was_left_unchecked_is_named() -> None:
    assert missing_scopes(SCOPES) == []
    base = ["openid", "https://www.googleapis.com/auth/userinfo.email"]
    assert missing_scopes(base) == ["to read mail from the inbox", "to send replies"]
    assert missing_scopes([*base, "https://www.googleapis.com/auth/gmail.modify"]) == []
    assert missing_scopes([*base, "https://www.googleapis.com/auth/gmail.readonly"]) == ["to send replies"]


def test_only_the_refresh_token_is_kept_and_nothing_shows_it() -> None:
    grant = Grant("shop@gmail.example", ("openid",), "refresh-me", "access-me")
    assert "refresh-me" not in repr(grant)
    assert "access-me" not in repr(grant)
    kept = token_to_keep(grant)
    assert "access-me" not in kept
    assert kept_token(kept) == "refresh-me"


@pytest.mark.parametrize("kept", ["", "refresh-me", "[]", "{}", '{"refresh_token": null}', '{"refresh_token": ""}'])
def test_a_broken_secret_says_so_without_repeating_it(kept: str) -> None:
    with pytest.raises(ValueError, match="broken") as broken:
        kept_token(kept)
    assert "refresh-me" not in str(broken.value)


def test_revoking_is_beside_the_token_address() -> None:
    assert SETTINGS.revoke_url == "https://t.example/oauth2/revoke"
    assert GoogleSettings().revoke_url == "https://oauth2.googleapis.com/revoke"
