#!/bin/sh
# Makes the secrets of docker-compose.yml that do not exist yet; never touches one that does.
#
# Compose mounts the files with their owner and mode as they are here, while each container has
# a user of its own. So the files are readable and the folder is not: from this machine nobody
# but its owner (and root) gets to them, and in a container only those mounted into it are there.
set -eu
cd "${1:-$(dirname "$0")}"
chmod 700 .

random() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

make() {
    if [ -e "$1" ]; then
        echo "$1: exists, kept"
    else
        printf '%s\n' "$2" > "$1"
        chmod 644 "$1"
        echo "$1: made"
    fi
}

make postgres_password "$(random)"
make database_url "postgresql+asyncpg://payrouter:$(cat postgres_password)@postgres:5432/payrouter"
make grafana_password "$(random)"
# Good for a trial with `payrouter send`. BlockATM signs with the key that it shows to you.
make blockatm_key "$(random)"
