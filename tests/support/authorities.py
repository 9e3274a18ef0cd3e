"""The certificate authorities that tests know of: none that signs anything.

To read the system's takes 40 ms of processor time for each HTTP client and twice that at each service's start, and
nobody outside this machine is asked.
"""

from __future__ import annotations

import os
from pathlib import Path

_VARIABLE = "SSL_CERT_FILE"  # of OpenSSL; httpx, uv, Go and others read it too
_NOBODY = str(Path(__file__).parents[1] / "data" / "nobody.pem")  # a certificate whose key was thrown away


def know_nobody() -> None:
    """From here on, in this process and those that it starts; but whoever runs the tests may name a file instead."""
    os.environ.setdefault(_VARIABLE, _NOBODY)


def as_given() -> dict[str, str]:
    """The environment of a program that fetches from outside: with the authorities that the system has."""
    return {name: value for name, value in os.environ.items() if (name, value) != (_VARIABLE, _NOBODY)}
