#!/usr/bin/env bash
# The whole job on real input: carries everything that building Caddy needs across a gap, and builds it there.
#
# The connected half uses the upstream that the go command uses (GOPROXY). The isolated half runs in a
# network namespace that has nothing but loopback; where namespaces are not permitted, every route but
# loopback is refused by a dead proxy instead, and the demo says so. Nothing is left running.
set -euo pipefail
cd "$(dirname "$0")/.."

program=github.com/caddyserver/caddy/v2
version=v2.11.9
here=$PWD
bin=${CARGO_TARGET_DIR:-$here/target}/release
work=${MODFERRY_DEMO:-$here/target/demo}
bundle=$work/bundle store=$work/store

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { printf '$ %s\n' "$(printf '%s ' "$@" | sed "s|$bin/||g; s|$here/||g")"; "$@"; }
steps=() seconds=()
timed() { # NAME COMMAND…: runs it, and remembers its seconds for the summary
    local name=$1 start end
    shift
    start=$(date +%s.%N)
    "$@"
    end=$(date +%s.%N)
    steps+=("$name") seconds+=("$(awk "BEGIN { printf \"%.1f\", $end - $start }")")
}

# A fresh site each time. Two things outlive a run: the bundler's download cache (in its default place)
# and, in $work/gocache, the compiled packages of the isolated build, which hold no module.
for old in bundle tampered store keys inside; do
    if [ -e "$work/$old" ]; then chmod -R u+w "$work/$old" && rm -rf "${work:?}/$old"; fi
done
mkdir -p "$work/keys" "$bundle" "$work/inside"

say "Connected side: a signing key, and a bundle of all that $program@$version needs"
show "$bin/modferry-bundler" keygen demo --out "$work/keys"
export_bundle() {
    show "$bin/modferry-bundler" export "$program@$version" --stream demo --state "$work/inside/bundler-state" \
        --key "$work/keys/demo.key" --out "$bundle"
}
timed export export_bundle

say "Isolated side: trust that key, verify the bundle, import it into RocksDB"
show "$bin/modferry-appliance" trust add "$work/keys/demo.pub" --store "$store"
timed verify show "$bin/modferry-appliance" verify "$bundle" --store "$store"
timed import show "$bin/modferry-appliance" import "$bundle" --store "$store"
show "$bin/modferry-appliance" status --store "$store"

say "Isolated side: the server, and the real go command, with nothing but loopback"
cat >"$work/inside/main.go" <<EOF
// The program that a developer behind the gap builds: Caddy with its standard modules.
package main

import (
	caddycmd "$program/cmd"

	_ "$program/modules/standard"
)

func main() { caddycmd.Main() }
EOF
build_inside() {
    GOCACHE=$work/gocache "$here/scripts/behind-the-gap.sh" "$bin" "$store" "$work/inside" \
        "$here/scripts/demo-inside.sh" "$work/inside" "$program" "$version" | tee "$work/inside/told"
}
timed "go build inside" build_inside

say "The guard: one byte of a copy of the bundle is changed"
cp -r "$bundle" "$work/tampered"
volume=$(ls "$work"/tampered/*.v001.tar)
offset=$(($(stat -c %s "$volume") / 2))
byte=$(od -An -tu1 -j "$offset" -N 1 "$volume" | tr -d ' ')
printf "\\x$(printf %02x $((byte ^ 1)))" | dd of="$volume" bs=1 seek="$offset" conv=notrunc status=none
echo "byte $offset of $(basename "$volume"): $byte became $((byte ^ 1))"
status=0
show "$bin/modferry-appliance" import "$work/tampered" --store "$work/inside/other-store" 2>"$work/inside/refusal" || status=$?
[ "$status" -eq 3 ] || { echo "demo: a store without a trusted key took the bundle (exit $status)" >&2; exit 1; }
cat "$work/inside/refusal"
echo "exit $status: a store that trusts no key reads nothing of it. With the key trusted:"
show "$bin/modferry-appliance" trust add "$work/keys/demo.pub" --store "$work/inside/other-store"
status=0
show "$bin/modferry-appliance" import "$work/tampered" --store "$work/inside/other-store" 2>"$work/inside/refusal" || status=$?
cat "$work/inside/refusal"
echo "exit $status"
[ "$status" -eq 4 ] || { echo "demo: a tampered bundle was not refused with exit 4" >&2; exit 1; }
grep -q 'entry [0-9]' "$work/inside/refusal" || { echo "demo: the refusal does not name the entry" >&2; exit 1; }

say "Summary"
"$bin/modferry-appliance" status --store "$store" | sed -n '/^  [a-z]/p'
printf '  %-16s %s bytes\n' bundle "$(cat "$bundle"/* | wc -c)"
for i in "${!steps[@]}"; do printf '  %-16s %s s\n' "${steps[$i]}" "${seconds[$i]}"; done
printf '  %-16s %s\n' isolation "$(sed -n 's/^isolation: //p' "$work/inside/told")"
