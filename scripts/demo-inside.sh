#!/usr/bin/env bash
# The demo's isolated half, run by scripts/demo.sh inside a network namespace: the server, and the real
# go command with a fresh GOPATH and GOMODCACHE, GOSUMDB at its default and no exception of any kind.
set -euo pipefail
bin=$1 store=$2 work=$3 program=$4 version=$5
inside=$work/inside

if [ -z "${MODFERRY_DEMO_NO_NAMESPACE:-}" ]; then
    ip link set lo up
    echo "interfaces here: $(ip -o link | awk -F': ' '{ print $2 }' | paste -sd ' ')"
fi

# The server's first line says where it listens, and comes once it does.
mkfifo "$inside/listening"
"$bin/modferry-server" --store "$store" --listen 127.0.0.1:0 >"$inside/listening" 2>"$inside/server.log" &
server=$!
trap 'kill -TERM $server 2>/dev/null; wait $server 2>/dev/null || true' EXIT
exec 3<"$inside/listening"
read -r line <&3 || { cat "$inside/server.log" >&2; exit 1; }
url=${line##* }
echo "modferry-server listens on $url"

# Nothing of the caller's Go settings may help: an empty environment, no go env file.
clean=(env -i "PATH=$PATH" "HOME=$inside/home" "GOENV=off" "GOPATH=$inside/gopath"
    "GOMODCACHE=$inside/modcache" "GOCACHE=$work/gocache" "GOTOOLCHAIN=local" "GOPROXY=$url,off")
[ -z "${MODFERRY_DEMO_NO_NAMESPACE:-}" ] || clean+=("HTTPS_PROXY=http://127.0.0.1:9" "HTTP_PROXY=http://127.0.0.1:9" "NO_PROXY=127.0.0.1")

mkdir -p "$inside/home" "$inside/project"
cp "$inside/main.go" "$inside/project/"
cd "$inside/project"
run() { echo "\$ $*"; "${clean[@]}" "$@"; }
run go env GOPROXY GOSUMDB GONOSUMDB GOFLAGS GOTOOLCHAIN
run go mod init example.com/behind-the-gap
run go get "$program@$version" 2>&1 | tail -n 3
run go mod tidy 2>&1 | tail -n 3
run go build -o caddy .
run ./caddy version
run go mod verify | tee "$inside/verified"
grep -q '^all modules verified$' "$inside/verified"
