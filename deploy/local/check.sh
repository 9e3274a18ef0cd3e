#!/usr/bin/env bash
# Everything that can be said about the code without running it. Edits nothing; says all problems, then fails.
set -uo pipefail
cd "$(dirname "$0")/../.."
failed=()
step() {
  local name=$1
  shift
  local out
  if ! out=$("$@" 2>&1); then
    printf '%s\n' "$out"
    failed+=("$name")
  else
    echo "ok: $name"
  fi
}
step "ruff check" .venv/bin/ruff check --no-fix -q .
step "ruff format" .venv/bin/ruff format --check -q .
step "mypy" .venv/bin/mypy "$@"
step "import-linter" .venv/bin/lint-imports --no-cache
step "schemas" .venv/bin/python -m mailroom_contracts.schemas check
((${#failed[@]} == 0)) || { echo "make check: not clean: ${failed[*]}" >&2; exit 1; }
