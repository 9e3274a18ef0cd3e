#!/usr/bin/env bash
# authres 1.2.0 (PyPI), the usual reader of Authentication-Results in Python, is all or nothing.
#
# One result that leaves the grammar of RFC 8601 costs the whole field, the results before it included. What leaves the
# grammar is what filters in use write: policyd-spf puts an SMTPUTF8 sender into the comment as it is, others end the field
# in a semicolon or write smtp.mailfrom=<> for the null sender. A program that then goes on without the field takes a sender
# that passed for one that was never checked.
#
# Seen (1.2.0): a well-formed field gives [('dmarc', 'pass'), ('spf', 'pass')]; each of the three others raises SyntaxError
# and gives nothing, though dmarc=pass stands first and whole in all of them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q authres==1.2.0
"$folder/venv/bin/python" - <<'PYTHON'
import authres

HEAD = "Authentication-Results: mx.example; dmarc=pass header.from=b.example; "
MAILS = {
    "well formed": "spf=pass smtp.mailfrom=b.example",
    "8-bit in a comment": "spf=pass (envelope-from=jürgen@b.example) smtp.mailfrom=b.example",
    "semicolon at the end": "spf=pass smtp.mailfrom=b.example;",
    "null sender": "spf=pass smtp.mailfrom=<>",
}
seen = {}
for name, rest in MAILS.items():
    try:
        found = authres.AuthenticationResultsHeader.parse(HEAD + rest).results
        seen[name] = [(one.method, one.result) for one in found]
    except authres.AuthResError as error:
        seen[name] = type(error).__name__
    print(f"{name}: {seen[name]}")
expected = {name: "SyntaxError" for name in MAILS} | {"well formed": [("dmarc", "pass"), ("spf", "pass")]}
raise SystemExit(0 if seen == expected else 1)
PYTHON
