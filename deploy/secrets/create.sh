#!/bin/sh
# Makes the secrets of docker-compose.yml that do not exist yet; never touches one that does.
#
# Compose mounts the files with their owner and mode on this machine, while each container has
# another user. So the files are readable and the folder is not: on this machine only its owner
# and root can reach them, and a container has only those that are mounted into it.
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
