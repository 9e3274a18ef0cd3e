#!/usr/bin/env bash
# The virtual environment .venv: every pinned package of requirements.lock with its hash checked, and the workspace's
# own distributions as editable ones. Safe to run again; needs the network only for what is not there yet.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
# The version that makes and installs requirements.lock.
uv_version=0.13.9

bash deploy/local/packages.sh runtime
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "Mailroom needs Python 3.11 or newer; $python is $("$python" -V 2>&1). Set PYTHON=…, e.g. make up PYTHON=python3.12" >&2
  exit 1
}

mkdir -p .cache
exec 9>.cache/bootstrap.lock
flock 9
[[ -x .venv/bin/python ]] || { echo "Making .venv …"; "$python" -m venv .venv; }
uv=.venv/bin/uv
[[ $("$uv" --version 2>/dev/null) == "uv $uv_version"* ]] ||
  .venv/bin/pip install -q --disable-pip-version-check "uv==$uv_version"
echo "Installing what requirements.lock says …"
export UV_PYTHON=$PWD/.venv/bin/python
# Compiled once here, instead of by every service at its first start (or at every start, where caching is off).
export UV_COMPILE_BYTECODE=1
"$uv" pip install -q --require-hashes -r requirements.lock
members=()
for folder in shared/* services/*; do
  [[ -f $folder/pyproject.toml ]] && members+=(-e "$folder")
done
# No isolation: the build backend is in the lock, so nothing unpinned is fetched here.
"$uv" pip install -q --no-deps --no-build-isolation "${members[@]}"
touch .venv/installed
