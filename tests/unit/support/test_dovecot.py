"""The words of Dovecot 2.3 and 2.4 for the same thing."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import dovecot

FOLDER = Path("/tmp/t")


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:1/introspect"])
@pytest.mark.parametrize("known", [(2, 3), (2, 4)])
def test_braces_match_and_every_place_is_filled_in(known: tuple[int, int], url: str | None) -> None:
    files = dovecot.configuration(FOLDER, url, known)
    conf = files["dovecot.conf"]
    assert conf.count("{") == conf.count("}")
    assert "{folder}" not in conf
    assert ("xoauth2" in conf) == (url is not None)
    assert conf.startswith("dovecot_config_version") == (known == (2, 4))
    assert ("oauth2.conf.ext" in files) == (url is not None and known == (2, 3))
