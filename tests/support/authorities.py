"""The certificate authorities that tests know of: none that signs anything.

To read the system's takes 40 ms of processor time for each HTTP client and twice that at each service's start, and
nobody outside this machine is asked.
"""

from __future__ import annotations

import os
from pathlib import Path

import certifi

_VARIABLE = "SSL_CERT_FILE"  # of OpenSSL; httpx, uv, Go and others read it too
_GIVEN = "TESTS_GIVEN_SSL_CERT_FILE"  # where the environment of whoever runs the tests is kept; processes inherit it
_NOBODY = str(Path(__file__).parents[1] / "data" / "nobody.pem")  # a certificate whose key was thrown away


def know_nobody() -> None:
    """From here on, in this process and those that it starts; also where the machine names a file, as proxies want it."""
    if (given := os.environ.get(_VARIABLE)) != _NOBODY:
        if given:
            os.environ[_GIVEN] = given
        os.environ[_VARIABLE] = _NOBODY
    # httpx asks it where a client is not to look at the environment
    certifi.where = lambda: _NOBODY


def as_given() -> dict[str, str]:
    """The environment of a program that fetches from outside: with the authorities that the system has."""
    env = {name: value for name, value in os.environ.items() if (name, value) != (_VARIABLE, _NOBODY)}
    if given := env.pop(_GIVEN, None):
        env[_VARIABLE] = given
    return env
