#!/usr/bin/env bash
# msal 1.39.0 (PyPI), Python 3.11. Its token methods are documented to give "a dict with an error key, when error happened".
# They do for a 4xx of the token endpoint. For a 5xx they raise msal.exceptions.MsalServiceError instead, whose base is
# Exception, neither a RuntimeError nor an error of requests: who catches network errors and looks for "error" misses it,
# and the body ({"error": "temporarily_unavailable"}) is lost (error and error_description are None).
# Output seen:
#   400 -> dict: invalid_grant
#   503 -> MsalServiceError HTTP Error: 503 error=None
# Exits non-zero when this changes.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install -q --disable-pip-version-check msal==1.39.0
"$folder/v/bin/python" - <<'PY'
import json
import msal
from msal.exceptions import MsalServiceError

class Answer:
    def __init__(self, status, body):
        self.status_code, self.text, self.headers = status, json.dumps(body), {}
    def raise_for_status(self):
        assert self.status_code < 400

class Http:
    """msal's own hook for a transport: discovery, then the token endpoint with the status that is wanted."""
    def __init__(self, status, body): self.token = Answer(status, body)
    def get(self, url, **_):
        return Answer(200, {"issuer": "https://login.example/t/v2.0", "authorization_endpoint": "https://login.example/t/a",
                            "token_endpoint": "https://login.example/t/k"})
    def post(self, url, **_): return self.token
    def close(self): pass

def renew(status, body):
    app = msal.ConfidentialClientApplication("id", client_credential="secret", authority="https://login.example/t",
                                             instance_discovery=False, http_client=Http(status, body))
    return app.acquire_token_by_refresh_token("token", ["https://outlook.office.com/SMTP.Send"])

answer = renew(400, {"error": "invalid_grant", "error_description": "ended"})
print("400 -> dict:", answer["error"])
try:
    raise SystemExit(f"changed: a 503 gave {renew(503, {'error': 'temporarily_unavailable'})}")
except MsalServiceError as error:
    print("503 -> MsalServiceError", error, f"error={error._error}" if hasattr(error, "_error") else "error=None")
    assert not isinstance(error, (RuntimeError, OSError, ValueError))
PY
