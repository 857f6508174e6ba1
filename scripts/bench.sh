#!/usr/bin/env bash
# Speed, side by side with named peers in one interleaved run on the same bytes, and peak memory.
#
#   export   against `go mod download` of the same list into an empty cache, both from the configured upstream
#   import   against hash-zips, which reads, inflates and hashes the same zips on all cores and stores nothing
#   serve    against nginx with the same files (scripts/bench-serve.sh)
#
# MODFERRY_BENCH_SET names a file of module@version lines; without it, what Caddy needs. ROUNDS (3) is how often each
# pair runs; the ratios are of medians. PARTS ("import serve") leaves out what is slow or needs the upstream; import needs
# what export made, so a single export is made for it in any case. Everything is made in a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${CARGO_TARGET_DIR:-$PWD/target}/release
rounds=${ROUNDS:-3}
parts=${PARTS:-export import serve}
work=$(mktemp -d "${TMPDIR:-/tmp}/modferry-bench.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

# shellcheck source=scripts/env.sh
. scripts/env.sh
# shellcheck source=scripts/measure.sh
. scripts/measure.sh
cargo build --locked --release --quiet --package modferry-tests --bin hash-zips

"$bin/modferry-bundler" keygen bench --out "$work/keys" >/dev/null
set_file=${MODFERRY_BENCH_SET:-}
if [ -z "$set_file" ]; then
    modules=(github.com/caddyserver/caddy/v2@v2.11.9)
else
    mapfile -t modules < <(grep -v '^#' "$set_file")
fi

wanted() { [[ " $parts " == *" $1 "* ]]; }
if ! wanted export && ! wanted import; then exec scripts/bench-serve.sh; fi

wanted export || rounds_of_export=1
echo "== export against go mod download, ${rounds_of_export:=$rounds} rounds"
: >"$work/export" : >"$work/download"
for round in $(seq "$rounds_of_export"); do
    rm -rf "$work/bundle" "$work/cache" "$work/state"
    measure "$bin/modferry-bundler" export "${modules[@]}" --key "$work/keys/bench.key" --out "$work/bundle" \
        --cache "$work/cache" --state "$work/state" >>"$work/export"
    if [ "$round" = 1 ]; then # the list that the export came to
        "$bin/modferry-bundler" inspect "$work/bundle" --list | awk '$1 == "zip" { print $2 }' >"$work/list"
    fi
    chmod -R u+w "$work/gomod" 2>/dev/null || true
    rm -rf "$work/gomod"
    wanted export || break
    mkdir -p "$work/gomod/project"
    (cd "$work/gomod/project" && export GOPATH=$work/gomod/gopath GOFLAGS=-modcacherw &&
        measure xargs -a "$work/list" go mod download >>"$work/download")
done
echo "modules: $(wc -l <"$work/list")"
echo "export:          $(tr '\n' ';' <"$work/export") (seconds, peak MiB)"
echo "go mod download: $(tr '\n' ';' <"$work/download")"
[ ! -s "$work/download" ] || awk -v a="$(median <"$work/export")" -v b="$(median <"$work/download")" 'BEGIN { printf "ratio: %.2f (target 2.0)\n", b / a }'

wanted import || exit 0
echo "== import against hash-zips, $rounds rounds"
: >"$work/import" : >"$work/hash"
zips=$work/cache
bytes=$(find "$zips" -name '*.zip' -printf '%s\n' | awk '{ s += $1 } END { print s }')
for _ in $(seq "$rounds"); do
    rm -rf "$work/store"
    "$bin/modferry-appliance" trust add "$work/keys/bench.pub" --store "$work/store" >/dev/null
    measure "$bin/modferry-appliance" import "$work/bundle" --store "$work/store" >>"$work/import"
    measure "$bin/hash-zips" "$zips" >>"$work/hash"
done
echo "zip bytes: $bytes"
echo "import:    $(tr '\n' ';' <"$work/import") (seconds, peak MiB)"
echo "hash-zips: $(tr '\n' ';' <"$work/hash")"
awk -v a="$(median <"$work/import")" -v b="$(median <"$work/hash")" -v n="$bytes" \
    'BEGIN { printf "import: %.0f MB/s of zip bytes; ratio: %.2f (target 0.5)\n", n / a / 1e6, b / a }'

! wanted serve || scripts/bench-serve.sh
