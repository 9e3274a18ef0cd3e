#!/usr/bin/env bash
# Makes the keys that docker-compose.yml hands to the services as files, once. Keep them: without the first one,
# stored passwords cannot be opened any more.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=.data/compose-secrets
mkdir -p "$folder" && chmod 700 "$folder"
for name in mailroom_secret_keys mailroom_message_id_keys; do
    # the containers' user (10001) must read it through the bind mount, hence 0444 below a 0700 folder
    [[ -s $folder/$name ]] || { printf 'k1:%s' "$(head -c 32 /dev/urandom | base64 -w0)" >"$folder/$name"; chmod 0444 "$folder/$name"; }
done
