#!/bin/sh
# Arguments are run in the server's place. Busybox's server ignores SIGTERM as process 1, so this shell takes it.
[ $# -gt 0 ] && exec "$@"
trap 'kill $server; exit 0' TERM INT
echo "serving on port ${PORT:-8080}"
httpd -f -p "${PORT:-8080}" -h /www &
server=$!
wait $server
