#!/usr/bin/env bash
# The editor of the writing box: its libraries from npm by the lock beside this file, and with src/ one script that pages
# load, mailroom_console/built/editor.js. Without npm, or where npm gets nothing, it says so and that is all: the writing
# box is a field for plain text then. `build.sh --must` fails instead.
set -euo pipefail
cd "$(dirname "$0")"
built=$PWD/../mailroom_console/built
must=${1:-}

without() {
  echo "The writing box stays a field for plain text: $1. Afterwards: make editor" >&2
  [[ $must != --must ]] || exit 1
  exit 0
}

command -v npm >/dev/null && command -v node >/dev/null || without "there is no npm here (Debian, Ubuntu: apt-get install npm)"
cache=$PWD/../../../.cache/npm
folder=$cache/editor-$(sha256sum package-lock.json | cut -c1-12)
mkdir -p "$folder" "$built"
exec 9>"$folder/.lock"
flock 9
if [[ ! -e $folder/.complete ]]; then
  cp package.json package-lock.json "$folder/"
  (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund) >"$folder/npm.log" 2>&1 ||
    without "npm could not fetch its editor ($(tail -n 1 "$folder/npm.log"); all of it in $folder/npm.log)"
  touch "$folder/.complete"
fi
rm -rf "$folder/src" && cp -r src "$folder/src"
"$folder/node_modules/.bin/esbuild" "$folder/src/editor.js" --bundle --minify --format=esm --target=es2022 \
  --legal-comments=none --log-level=warning --outfile="$folder/editor.js" >&2 ||
  without "esbuild did not bundle its editor"
cp "$folder/editor.js" "$built/.editor.js" && mv "$built/.editor.js" "$built/editor.js"
