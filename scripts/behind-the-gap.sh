#!/usr/bin/env bash
# Runs a command as a developer behind the gap does: beside a modferry-server over a store, with nothing but loopback, and
# with an environment of its own: fresh GOPATH and GOMODCACHE, GOSUMDB and GOFLAGS at their defaults, no exception of any kind.
#
#   behind-the-gap.sh BIN STORE FOLDER COMMAND…
#
# BIN has the built programs. FOLDER gets the command's home, its Go caches and the server's log; GOCACHE, if the caller sets
# it, is shared: it has compiled packages and no module. The command finds the server's address in MIRROR. Where namespaces
# are not permitted, every route but loopback is refused by a dead proxy instead, and the first line says so.
set -euo pipefail
if [ -z "${MODFERRY_ISOLATION:-}" ]; then
    if unshare --net true 2>/dev/null; then
        isolate=(unshare --net) isolation="a network namespace with nothing but loopback"
    elif unshare --user --map-root-user --net true 2>/dev/null; then
        isolate=(unshare --user --map-root-user --net)
        isolation="an unprivileged network namespace with nothing but loopback"
    else
        isolate=() isolation="no namespace (not permitted here): every route but loopback refused by a dead proxy"
    fi
    echo "isolation: $isolation"
    MODFERRY_ISOLATION=$([ ${#isolate[@]} -gt 0 ] && echo namespace || echo proxy) exec "${isolate[@]}" "$0" "$@"
fi
bin=$1 store=$2 folder=$3
shift 3
mkdir -p "$folder/home"

if [ "$MODFERRY_ISOLATION" = namespace ]; then
    ip link set lo up
    echo "interfaces here: $(ip -o link | awk -F': ' '{ print $2 }' | paste -sd ' ')"
fi

# The server's first line says where it listens, and comes once it does.
rm -f "$folder/listening"
mkfifo "$folder/listening"
"$bin/modferry-server" --store "$store" --listen 127.0.0.1:0 >"$folder/listening" 2>"$folder/server.log" &
server=$!
trap 'kill -TERM $server 2>/dev/null; wait $server 2>/dev/null || true' EXIT
exec 3<"$folder/listening"
read -r line <&3 || { cat "$folder/server.log" >&2; exit 1; }
url=${line##* }
echo "modferry-server listens on $url"

# Nothing of the caller's Go settings may help: an empty environment, no go env file.
clean=(env -i "PATH=$PATH" "HOME=$folder/home" "GOENV=off" "GOPATH=$folder/gopath" "GOMODCACHE=$folder/modcache"
    "GOCACHE=${GOCACHE:-$folder/gocache}" "GOTOOLCHAIN=local" "GOPROXY=$url,off" "MIRROR=$url")
[ "$MODFERRY_ISOLATION" = namespace ] ||
    clean+=("HTTPS_PROXY=http://127.0.0.1:9" "HTTP_PROXY=http://127.0.0.1:9" "NO_PROXY=127.0.0.1")
"${clean[@]}" "$@"
