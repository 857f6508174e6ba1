#!/usr/bin/env bash
# Requests per second of modferry-server against nginx serving the same bytes as static files, side by side on loopback,
# with wrk (Debian: nginx-light, wrk). Both with one worker a core, both without an access log.
#
#   ROUNDS (3)       how often each pair runs, one after the other; the ratios are of medians
#   SECONDS_EACH (3) how long each run is
#   CASES            a pattern of the cases to run, as in CASES='zip|info'; all of them without it
#   MODFERRY_BENCH_FLAGS  more flags for the server, as in --access-log
#
# The data is made by server/examples/bench-data.rs in a temporary folder. nginx runs as Debian ships it, as far as
# speed goes: sendfile, tcp_nopush; open_file_cache is set, which is to its advantage.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${ROUNDS:-3} each=${SECONDS_EACH:-3} cases=${CASES:-.}
for tool in nginx wrk curl openssl; do
    PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null ||
        { echo "bench-serve.sh: no $tool here: apt-get install nginx-light wrk curl openssl" >&2; exit 1; }
done
work=$(mktemp -d "${TMPDIR:-/tmp}/modferry-serve.XXXXXX")
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

# shellcheck source=scripts/env.sh
. scripts/env.sh
# shellcheck source=scripts/measure.sh
. scripts/measure.sh
cargo build --locked --release --quiet --package modferry-server --bins --example bench-data
target=${CARGO_TARGET_DIR:-target}/release
"$target/examples/bench-data" "$work"
chmod -R a+rX "$work"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost \
    -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
nginx_port=$(free_port) nginx_tls_port=$(free_port)
cat >"$work/nginx.conf" <<CONF
worker_processes auto;
pid $work/nginx.pid;
error_log $work/nginx.log;
daemon off;
events { worker_connections 4096; }
http {
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=1000;
    types { application/json info; application/zip zip; }
    default_type text/plain;
    client_body_temp_path $work; proxy_temp_path $work; fastcgi_temp_path $work; uwsgi_temp_path $work; scgi_temp_path $work;
    server {
        listen 127.0.0.1:$nginx_port;
        listen 127.0.0.1:$nginx_tls_port ssl;
        ssl_certificate $work/cert.pem;
        ssl_certificate_key $work/key.pem;
        ssl_protocols TLSv1.3;
        root $work/www;
    }
}
CONF
PATH=$PATH:/usr/sbin nginx -c "$work/nginx.conf" -e "$work/nginx.log" &
pids+=($!)

start() { # flags of the server; its address is printed to the file. What it misses is kept, as in a site.
    local out=$1
    shift
    # shellcheck disable=SC2086
    "$target/modferry-server" --store "$work/store" --listen 127.0.0.1:0 --access-log=false --quiet \
        --wants "$out.wants" "$@" \
        ${MODFERRY_BENCH_FLAGS:-} >"$out" 2>>"$work/server.log" &
    pids+=($!)
    server_pid=$!
    for _ in $(seq 200); do
        grep -q 'listening on' "$out" && return
        read -rt 0.05 <> <(:) || true
    done
    echo "bench-serve.sh: the server did not start" >&2
    exit 1
}
start "$work/plain"
plain_pid=$server_pid
start "$work/tls" --tls-cert "$work/cert.pem" --tls-key "$work/key.pem"
modferry=$(sed 's/listening on //' "$work/plain") modferry_tls=$(sed 's/listening on //' "$work/tls")
nginx=http://127.0.0.1:$nginx_port nginx_tls=https://127.0.0.1:$nginx_tls_port

rate() { # connections, URL, bytes of the answer: answers per second
    # By bytes, not by whole answers: 256 downloads of 50 MB side by side do not end within seconds.
    wrk -t 1 -c "$1" -d "${each}s" "$2" | awk -v size="$3" '
        /Requests\/sec/ { requests = $2 }
        /Transfer\/sec/ { unit = substr($2, length($2) - 1); n = $2 + 0
            if (unit == "KB") n *= 1024; if (unit == "MB") n *= 1048576; if (unit == "GB") n *= 1073741824 }
        END { print (size > 1000000 ? n / size : requests) }'
}
compare() { # name, path, target, [tls]
    local name=$1 path=$2 target=$3 ours=$modferry theirs=$nginx connections size
    grep -qE "$cases" <<<"$name" || return 0
    [ "${4:-}" = tls ] && ours=$modferry_tls theirs=$nginx_tls
    if [ "$name" != 404 ]; then
        cmp <(curl -sk "$ours$path") <(curl -sk "$theirs$path") || { echo "bench-serve.sh: $path differs" >&2; exit 1; }
    fi
    size=$(curl -sk "$ours$path" | wc -c)
    for connections in 16 256; do
        : >"$work/a"
        : >"$work/b"
        for _ in $(seq "$rounds"); do
            rate "$connections" "$ours$path" "$size" >>"$work/a"
            rate "$connections" "$theirs$path" "$size" >>"$work/b"
        done
        awk -v name="$name" -v c="$connections" -v a="$(median <"$work/a")" -v b="$(median <"$work/b")" -v t="$target" \
            'BEGIN { printf "%-18s %4d connections: %9.0f/s, nginx %9.0f/s, ratio %.2f (target %.1f)\n", name, c, a, b, a / b, t }'
    done
}

compare info /example.com/zip/@v/v1.1.0.info 1.0
compare mod /example.com/zip/@v/v1.1.0.mod 1.0
compare list /example.com/zip/@v/list 1.0
compare lookup /sumdb/sum.golang.org/lookup/example.com/zip@v1.0.0 1.0
compare tile /sumdb/sum.golang.org/tile/8/0/x001/234 1.0
compare 404 /example.com/none/@v/v1.0.0.info 1.0
compare "zip 12 kB" /example.com/zip/@v/v1.0.0.zip 0.9
compare "zip 70 kB" /example.com/zip/@v/v1.1.0.zip 0.9
compare "zip 2 MB" /example.com/zip/@v/v1.2.0.zip 1.0
compare "zip 50 MB" /example.com/zip/@v/v1.3.0.zip 1.5
compare "info, TLS 1.3" /example.com/zip/@v/v1.1.0.info 1.0 tls
compare "zip 70 kB, TLS 1.3" /example.com/zip/@v/v1.1.0.zip 1.0 tls
awk '/VmHWM/ { printf "peak memory of the server: %.0f MiB (target 256)\n", $2 / 1024 }' "/proc/$plain_pid/status"
