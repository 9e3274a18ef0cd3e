#!/usr/bin/env bash
# `make fresh RELEASE=trixie`: the README's two commands on a Debian that has nothing yet. As root on Debian: makes a
# chroot by debootstrap, clones this repository's last commit into it, runs `make demo` and `make test` there, and ends.
# ARGS goes to `make test`. The chroot stays for the next time (.cache/fresh).
set -euo pipefail
cd "$(dirname "$0")/.."
release=${RELEASE:-bookworm}
root=${FRESH:-$PWD/.cache/fresh}/$release
[[ $(id -u) == 0 ]] || { echo "make fresh makes a chroot, so it needs root." >&2; exit 1; }
command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -y -qq debootstrap; } >/dev/null

if [[ ! -e $root/.complete ]]; then
  echo "Making $release in $root …"
  mkdir -p "$root"
  log=$(mktemp)
  debootstrap --variant=minbase --include=ca-certificates,git,make,python3,python3-venv "$release" "$root" >"$log" 2>&1 ||
    { tail -n 15 "$log" >&2; exit 1; }
  rm -f "$log"
  touch "$root/.complete"
fi

mounted=()
unmount() {
  for ((i = ${#mounted[@]} - 1; i >= 0; i--)); do umount -l "${mounted[i]}"; done
}
trap unmount EXIT
for place in proc dev dev/pts sys; do
  mount --rbind "/$place" "$root/$place" && mount --make-rslave "$root/$place" && mounted+=("$root/$place")
done
# What this machine needs to reach its package registries: certificates of its own, names, the clients' own settings.
# Certificates are put where Debian looks for an administrator's, so that Java, which has a store of its own, gets them too.
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
mkdir -p "$root/usr/local/share/ca-certificates"
cp -rL /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
chroot "$root" update-ca-certificates >/dev/null 2>&1
for file in /etc/pip.conf /etc/npmrc /root/.npmrc /root/.m2/settings.xml; do
  [[ ! -e $file ]] || install -D -m 600 "$file" "$root$file"
done
rm -rf "$root/root/mailroom" "$root/root/shared"
git clone -q . "$root/root/mailroom"
[[ ! -d ../shared ]] || cp -r "$(readlink -f ../shared)" "$root/root/shared"

# The stack's ports are this machine's: what runs here already is in the way.
chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
  SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt ARGS="${ARGS:-}" \
  /bin/bash -c '
    set -e
    cd /root/mailroom
    make demo
    make down
    make test ARGS="$ARGS"
  '
