#!/usr/bin/env bash
# Resolves all pins anew: requirements.lock for the whole workspace, deploy/requirements/NAME.lock for each image.
# uv.lock and any line that would name a registry stay out of the repository.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=.venv/bin/uv
export=("$uv" export -q --no-emit-workspace --no-annotate --no-header --format requirements-txt)
"$uv" lock -q "$@"
"${export[@]}" --all-packages --all-groups -o requirements.lock >/dev/null
for project in services/*/pyproject.toml; do
    service=$(basename "$(dirname "$project")")
    "${export[@]}" --package "$(sed -n 's/^name = "\(.*\)"/\1/p' "$project")" --no-dev \
        -o "deploy/requirements/$service.lock" >/dev/null
done
for group in build mailbox; do
    "${export[@]}" --only-group "$group" -o "deploy/requirements/$group.lock" >/dev/null
done
