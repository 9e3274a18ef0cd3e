#!/usr/bin/env bash
# System packages: `packages.sh runtime` what `make up` needs, `packages.sh editor` what builds the editor of the writing box,
# `packages.sh test` what the tests need on top.
# As root on Debian or Ubuntu what is missing is installed; elsewhere one line says what to install.
set -euo pipefail
cd "$(dirname "$0")/../.."
kind=${1:-runtime}
python=${PYTHON:-python3}

has() { command -v "$1" >/dev/null 2>&1 || [[ -x /usr/sbin/$1 ]]; }

missing=()
has "$python" || missing+=(python3)
# Debian keeps the bundled pip, which a new environment needs, in a package of its own.
if [[ ! -x .venv/bin/python ]] && ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then missing+=(python3-venv); fi
jars=${XDG_CACHE_HOME:-$HOME/.cache}/mailroom/kafka-$(sha256sum deploy/local/kafka/pom.xml | cut -c1-12)
if [[ ! -e $jars/.complete && ! -e .cache/${jars##*/}/.complete ]]; then has mvn || missing+=(maven); fi
if [[ $kind == editor ]]; then
  # Mailroom runs without it, and the build says so: nothing is missing where nothing can be installed.
  if [[ $(id -u) != 0 ]] || ! has apt-get; then exit 0; fi
  missing=()
  for pair in node:nodejs npm:npm; do has "${pair%%:*}" || missing+=("${pair##*:}"); done
fi
if [[ $kind == test ]]; then
  for pair in chromium-headless-shell:chromium-headless-shell postfix:postfix dovecot:dovecot-core swaks:swaks nginx:nginx node:nodejs npm:npm; do
    has "${pair%%:*}" || missing+=("${pair##*:}")
  done
  [[ -e /usr/lib/nginx/modules/ngx_mail_module.so ]] || missing+=(libnginx-mod-mail)
  [[ -e /usr/lib/dovecot/imap ]] || missing+=(dovecot-imapd)
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
fi
((${#missing[@]})) || exit 0

if [[ $(id -u) != 0 ]] || ! has apt-get; then
  echo "Missing: ${missing[*]}. Install them (Debian, Ubuntu: apt-get install ${missing[*]}) and start again." >&2
  exit 1
fi

echo "Installing ${missing[*]} …"
# Postfix, Dovecot and nginx are for the tests, which start their own: the packages must not start a daemon here.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 15 "$log" >&2
  echo "These packages could not be installed: ${missing[*]} (apt-get's last words are above)." >&2
  exit 1
fi
rm -f "$log"
