#!/bin/sh
# The part of the official postgres image's entrypoint that people rely on: its environment, `-c` arguments, and
# an initialisation that happens once.
set -e

[ "${1#-}" = "$1" ] || set -- postgres "$@"
[ "$1" = postgres ] || exec "$@"
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chown -R postgres "$PGDATA"
    exec su -s /bin/sh postgres -c 'exec "$0" "$@"' -- "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "$POSTGRES_PASSWORD" ]; then
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        exit 1
    fi
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    mkdir -p "$PGDATA"
    chmod 0700 "$PGDATA"
    umask 077
    echo "$POSTGRES_PASSWORD" >/tmp/.pwfile
    initdb --username="$user" --pwfile=/tmp/.pwfile --no-instructions --no-sync -D "$PGDATA" --locale=C \
        --encoding=UTF8 $POSTGRES_INITDB_ARGS >&2
    rm /tmp/.pwfile
    echo "host all all all ${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
    if [ "$database" != postgres ]; then
        pg_ctl -D "$PGDATA" -s -w start -o "-c listen_addresses=''" >&2
        PGPASSWORD=$POSTGRES_PASSWORD psql -q -v ON_ERROR_STOP=1 -U "$user" -d postgres --no-psqlrc \
            -v db="$database" >&2 <<-'SQL'
			create database :"db";
		SQL
        pg_ctl -D "$PGDATA" -s -m fast -w stop >&2
    fi
    echo "PostgreSQL init process complete; ready for start up." >&2
fi

exec "$@"
