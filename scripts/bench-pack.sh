#!/usr/bin/env bash
# What packing comes to: sizes, and the seconds and the memory of both directions, for one set of modules.
#
#   modferry   export and import with --pack none, fast and max; the zips are in the download cache, so that no fetching
#              is in it, but choosing, verifying, packing, proving and signing is
#   peers      tar of the same zips; that through zstd -19 --long=27; that through xz -9; all cores; and unpacking them again
#
#   MODFERRY_BENCH_SET    a file of module@version lines: just these; without it, what Caddy needs
#   MODFERRY_BENCH_CACHE  a download cache that is kept; without it, a temporary one, filled from the configured upstream
#   ROUNDS (3)            how often each runs, one after the other; seconds are medians, memory is the most that was seen
#
# A size is of all files of the bundle, so that the proofs, the go.mods and what the manifest says count for modferry alone;
# the peers carry the zips and nothing else. Seconds of an import end when all of it is on disk, and those of a peer when
# the files are written.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${CARGO_TARGET_DIR:-$PWD/target}/release
rounds=${ROUNDS:-3}
for tool in tar zstd xz; do
    command -v "$tool" >/dev/null || { echo "bench-pack.sh: no $tool here: apt-get install tar zstd xz-utils" >&2; exit 1; }
done
work=$(mktemp -d "${TMPDIR:-/tmp}/modferry-pack.XXXXXX")
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

export_as() { # none|fast|max
    rm -rf "$work/bundle-$1" "$work/state"
    measure "$bin/modferry-bundler" export "${asked[@]}" --newest none --pack "$1" --key "$work/keys/bench.key" \
        --out "$work/bundle-$1" --cache "$cache" --state "$work/state" --quiet
}
import_as() { # none|fast|max
    rm -rf "$work/store"
    "$bin/modferry-appliance" trust add "$work/keys/bench.pub" --store "$work/store" >/dev/null
    measure "$bin/modferry-appliance" import "$work/bundle-$1" --store "$work/store" --quiet
}

# Fills the cache, and says which zips it is about.
export_as none >/dev/null
"$bin/modferry-bundler" inspect "$work/bundle-none" --list | awk '$1 == "zip" { print $2 }' >"$work/list"
mkdir "$work/zips"
escaped() { sed 's/[A-Z]/!\l&/g'; } # as the go command writes upper case
while read -r module; do
    file=$(escaped <<<"${module%@*}/@v/${module#*@}.zip")
    mkdir -p "$work/zips/$(dirname "$file")"
    cp "$cache/$file" "$work/zips/$file"
done <"$work/list"
restored=$(find "$work/zips" -name '*.zip' -printf '%s\n' | awk '{ s += $1 } END { print s }')

peers=(tar "tar + zstd -19 --long=27" "tar + xz -9")
make_peer() { # number
    local filters=("cat" "zstd -19 --long=27 -T0 -q" "xz -9 -T0 -q")
    measure bash -euo pipefail -c "tar -C '$work' -cf - zips | ${filters[$1]} >'$work/peer-$1'"
}
unpack_peer() { # number
    local filters=("cat" "zstd -d --long=27 -q" "xz -d -T0 -q")
    rm -rf "$work/unpacked"
    mkdir "$work/unpacked"
    measure bash -euo pipefail -c "${filters[$1]} <'$work/peer-$1' | tar -C '$work/unpacked' -xf -"
    diff -r "$work/zips" "$work/unpacked/zips" >&2
}

for _ in $(seq "$rounds"); do
    for pack in none fast max; do
        export_as "$pack" >>"$work/make-$pack"
        import_as "$pack" >>"$work/unpack-$pack"
    done
    for peer in "${!peers[@]}"; do
        make_peer "$peer" >>"$work/make-$peer"
        unpack_peer "$peer" >>"$work/unpack-$peer"
    done
done

tar_size=$(stat -c %s "$work/peer-0")
row() { # name, size, name of the measurements
    awk -v name="$1" -v size="$2" -v tar="$tar_size" -v restored="$restored" \
        -v make="$(median <"$work/make-$3")" -v make_peak="$(largest 2 <"$work/make-$3")" \
        -v unpack="$(median <"$work/unpack-$3")" -v unpack_peak="$(largest 2 <"$work/unpack-$3")" \
        'BEGIN { printf "%-26s %12d %6.3f %10.1f %9d %10.1f %9d %12.0f\n", name, size, size / tar, make, make_peak,
            unpack, unpack_peak, restored / unpack / 1e6 }'
}
echo "== packing: $(wc -l <"$work/list") zips of $restored bytes, $rounds rounds"
printf '%-26s %12s %6s %10s %9s %10s %9s %12s\n' "" bytes "of tar" "making, s" "peak MiB" "in again, s" "peak MiB" "MB/s of zips"
for pack in none fast max; do
    row "modferry --pack $pack" "$(cat "$work/bundle-$pack"/* | wc -c)" "$pack"
done
for peer in "${!peers[@]}"; do
    row "${peers[$peer]}" "$(stat -c %s "$work/peer-$peer")" "$peer"
done
