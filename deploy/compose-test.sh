#!/usr/bin/env bash
# The tests of docker-compose.yml (`make test-compose`). Where no engine answers, ../shared/tools/docker-here makes one
# with local images, and is stopped again afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."
here=../shared/tools/docker-here
if ! docker info >/dev/null 2>&1 || ! docker compose version >/dev/null 2>&1; then
  if [[ ! -x $here ]]; then
    echo "make test-compose: no Docker engine with compose answers, and $here, which could make one, is not there" >&2
    exit 1
  fi
  docker info >/dev/null 2>&1 || trap '"$here" stop >/dev/null' EXIT
  echo "no Docker engine with compose answers: $here compose makes one (seconds; 5 minutes the first time)"
  GOFLAGS=${GOFLAGS:--mod=mod} "$here" compose >/dev/null
fi
.venv/bin/python -m pytest -m compose "$@"
