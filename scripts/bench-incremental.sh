#!/usr/bin/env bash
# Sizes of a stream's later bundles, with the configured upstream and the real checksum database, and the time to import
# again what is in already.
#
#   MODFERRY_BENCH_SET  a file of module@version lines that the destination holds; without it, what Caddy needs
#   ADDED (rsc.io/qr@v0.2.0)  the small module that is added
#   MODFERRY_BENCH_CACHE      a download cache that is kept; without it, a temporary one
#   WAIT (0)                  seconds before the empty update
#
# The empty update carries what the tree of the checksum database has grown by since the bundle before it: minutes,
# where a site has a week. What it costs does not depend on that: it is the right edges of both trees. Proxies keep the
# newest head for a while; where the tree has not grown yet, that is said, and a WAIT helps.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${CARGO_TARGET_DIR:-$PWD/target}/release
added=${ADDED:-rsc.io/qr@v0.2.0}
work=$(mktemp -d "${TMPDIR:-/tmp}/modferry-incremental.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

# shellcheck source=scripts/env.sh
. scripts/env.sh
# shellcheck source=scripts/measure.sh
. scripts/measure.sh
cargo build --locked --release --quiet --package modferry-bundler --package modferry-appliance
if [ -n "${MODFERRY_BENCH_SET:-}" ]; then
    asked=(--list "$MODFERRY_BENCH_SET" --follow none)
else
    asked=(github.com/caddyserver/caddy/v2@v2.11.9)
fi
cache=${MODFERRY_BENCH_CACHE:-$work/cache}

"$bin/modferry-bundler" keygen bench --out "$work/keys" >/dev/null
"$bin/modferry-appliance" trust add "$work/keys/bench.pub" --store "$work/store" >/dev/null

row() { printf '%-34s %9s %9s %7s %9s %6s %9s\n' "$@"; }
carry() { # what, number, the export's arguments
    local what=$1 number=$2 out
    shift 2
    out=$work/bundle-$number
    "$bin/modferry-bundler" export "$@" --newest none --key "$work/keys/bench.key" --out "$out" --cache "$cache" \
        --state "$work/state" --json --quiet >"$work/export.json"
    if [ "$(json nothing_new)" = True ]; then
        row "$what" "nothing new: the tree has not grown yet"
        return
    fi
    row "$what" "$(json bytes)" "$(json zip_bytes)" "$(json modules)" "$(json go_mods)" "$(json tiles)" "$(json needs)"
    seconds "$bin/modferry-appliance" import "$out" --store "$work/store" >"$work/import-$number"
}
json() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$work/export.json" "$1"; }
seconds() { measure "$@" | awk '{ print $1 }'; } # that a command takes

echo "== bundles of one stream, in bytes on disk"
row bundle bytes zips modules go.mods tiles needs
carry "the first, whole" 1 "${asked[@]}"
carry "one small module more" 2 "${asked[@]}" "$added"
sleep "${WAIT:-0}"
carry "an empty update" 3 "${asked[@]}" "$added"
echo "import of the first: $(cat "$work/import-1") s, of the second: $(cat "$work/import-2") s"
for number in 1 2; do
    echo "import of bundle $number again: $(seconds "$bin/modferry-appliance" import "$work/bundle-$number" --store "$work/store") s"
done
