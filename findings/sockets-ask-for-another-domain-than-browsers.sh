#!/usr/bin/env bash
# Python 3.11 and idna 3.20 (PyPI). Python's own "idna" codec is IDNA 2003 with its transitional mappings, and socket.getaddrinfo
# (so asyncio, smtplib, urllib.request) encodes host names with it: "straße.example" is asked for as "strasse.example", a name that
# another registrant can own. Browsers, and the idna package that requests and httpx use, ask for "xn--strae-oqa.example".
# Mail to a customer at straße.example goes to strasse.example, without any error. The same for final sigma and for joiners.
# Output seen:
#   straße.example   codec: strasse.example        idna: xn--strae-oqa.example
#   βόλος.example    codec: xn--nxasmq6b.example   idna: xn--nxasmm1c.example
#   getaddrinfo of a label of 32 ß (64 letters as ss): encoding with 'idna' codec failed (UnicodeError: label empty or too long)
# Exits non-zero when this changes.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install -q --disable-pip-version-check idna==3.20
"$folder/v/bin/python" - <<'PY'
import idna

for name in ("straße.example", "βόλος.example"):
    codec, package = name.encode("idna").decode(), idna.encode(name, uts46=True).decode()
    print(f"{name:16} codec: {codec:23} idna: {package}")
    assert codec != package

# getaddrinfo encodes with that codec: a label that is short enough for DNS as it is, but not as "ss", is refused before any look-up
import socket

idna.encode("ß" * 32 + ".invalid", uts46=True)
try:
    socket.getaddrinfo("ß" * 32 + ".invalid", 25)
    raise SystemExit("changed: getaddrinfo takes it")
except UnicodeError as error:
    print("getaddrinfo of a label of 32 ß (64 letters as ss):", error)
PY
