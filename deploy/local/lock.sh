#!/usr/bin/env bash
# Resolve all dependencies anew and write requirements.lock: pins and hashes, no registry addresses. uv.lock, which
# names the registry, stays out of git.
set -euo pipefail
cd "$(dirname "$0")/../.."
.venv/bin/uv lock -q "$@"
.venv/bin/uv export -q --all-packages --all-groups --no-emit-workspace --no-annotate --no-header \
  --format requirements-txt -o requirements.lock >/dev/null
