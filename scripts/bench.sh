#!/usr/bin/env bash
# Speed, side by side with named peers in one interleaved run on the same bytes, and peak memory.
#
#   export   against `go mod download` of the same list into an empty cache, both from the configured upstream: verbatim
#            (--pack none), and as it is by default, packing included, against the download and a tar of the same zips
#            through zstd -12 --long=27 -T0
#   import   verbatim, against hash-zips, which reads, inflates and hashes the same zips on all cores and stores nothing;
#            and of the bundle that is the default, in bytes of zips a second
#   pack     sizes, and both directions' seconds, against tar, zstd and xz (scripts/bench-pack.sh)
#   serve    against nginx with the same files (scripts/bench-serve.sh)
#
# MODFERRY_BENCH_SET names a file of module@version lines, and just these are carried; without it, what Caddy needs.
# ROUNDS (3) is how often each pair runs; the ratios are of medians. PARTS ("import serve") leaves out what is slow or needs the upstream; import needs
# what export made, so a single export is made for it in any case. Everything is made in a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${CARGO_TARGET_DIR:-$PWD/target}/release
rounds=${ROUNDS:-3}
parts=${PARTS:-export import pack serve}
work=$(mktemp -d "${TMPDIR:-/tmp}/modferry-bench.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

# shellcheck source=scripts/env.sh
. scripts/env.sh
# shellcheck source=scripts/measure.sh
. scripts/measure.sh

wanted() { [[ " $parts " == *" $1 "* ]]; }
ratio() { # what, whose seconds, against whose, target
    awk -v what="$1" -v a="$(median <"$work/$2")" -v b="$(median <"$work/$3")" -v t="$4" \
        'BEGIN { printf "%s: ratio %.2f (target %.1f)\n", what, b / a, t }'
}
told() { printf '%-28s %s (seconds, peak MiB)\n' "$1" "$(tr '\n' ';' <"$work/$2")"; }

if wanted export || wanted import; then
    cargo build --locked --release --quiet --package modferry-bundler --package modferry-appliance
    cargo build --locked --release --quiet --package modferry-tests --bin hash-zips
    "$bin/modferry-bundler" keygen bench --out "$work/keys" >/dev/null
    if [ -n "${MODFERRY_BENCH_SET:-}" ]; then
        asked=(--list "$MODFERRY_BENCH_SET" --follow none)
    else
        asked=(github.com/caddyserver/caddy/v2@v2.11.9)
    fi
fi

export_into() { # folder of the bundle, cache, more flags
    rm -rf "$1" "$work/state"
    measure "$bin/modferry-bundler" export "${asked[@]}" --newest none --key "$work/keys/bench.key" --out "$1" \
        --cache "$2" --state "$work/state" "${@:3}"
}
go_mod_download() { # folder
    chmod -R u+w "$1" 2>/dev/null || true
    rm -rf "$1"
    mkdir -p "$1/project"
    (cd "$1/project" && export GOPATH=$1/gopath GOFLAGS=-modcacherw && measure xargs -a "$work/list" go mod download)
}
# Two measurements one after the other, as one: their seconds, and the larger of their peaks.
together() { paste -d ' ' - "$1" | awk '{ print $1 + $3, ($2 > $4 ? $2 : $4) }'; }

if wanted export; then
    echo "== export against go mod download, $rounds rounds"
    for _ in $(seq "$rounds"); do
        rm -rf "$work/cache"
        export_into "$work/verbatim" "$work/cache" --pack none >>"$work/export-none"
        # The list that the export came to.
        "$bin/modferry-bundler" inspect "$work/verbatim" --list | awk '$1 == "zip" { print $2 }' >"$work/list"
        rm -rf "$work/cache"
        export_into "$work/packed" "$work/cache" >>"$work/export"
        go_mod_download "$work/gomod" | tee -a "$work/download" >"$work/last-download"
        find "$work/gomod/gopath/pkg/mod/cache/download" -name '*.zip' >"$work/zips"
        measure bash -euo pipefail -c "tar -cf - -T '$work/zips' | zstd -12 --long=27 -T0 -q >'$work/zips.tar.zst'" |
            together "$work/last-download" >>"$work/download-zstd"
    done
    echo "modules: $(wc -l <"$work/list")"
    told "export --pack none" export-none
    told "go mod download" download
    ratio "export --pack none" export-none download 2.0
    told "export" export
    told "go mod download, and zstd" download-zstd
    ratio "export" export download-zstd 1.0
    printf 'the bundle has %s bytes, the tar through zstd -12 %s\n' \
        "$(cat "$work/packed"/* | wc -c)" "$(stat -c %s "$work/zips.tar.zst")"
elif wanted import; then
    export_into "$work/verbatim" "$work/cache" --pack none >/dev/null
    export_into "$work/packed" "$work/cache" >/dev/null
fi

if wanted import; then
    echo "== import against hash-zips, $rounds rounds"
    import_from() { # folder of the bundle
        rm -rf "$work/store"
        "$bin/modferry-appliance" trust add "$work/keys/bench.pub" --store "$work/store" >/dev/null
        measure "$bin/modferry-appliance" import "$1" --store "$work/store"
    }
    zips=$work/cache
    bytes=$(find "$zips" -name '*.zip' -printf '%s\n' | awk '{ s += $1 } END { print s }')
    for _ in $(seq "$rounds"); do
        import_from "$work/verbatim" >>"$work/import-none"
        measure "$bin/hash-zips" "$zips" >>"$work/hash"
        import_from "$work/packed" >>"$work/import"
    done
    echo "zip bytes: $bytes"
    told "import of a verbatim bundle" import-none
    told "hash-zips" hash
    ratio "import of a verbatim bundle" import-none hash 0.5
    told "import of a packed bundle" import
    awk -v a="$(median <"$work/import")" -v n="$bytes" \
        'BEGIN { printf "import of a packed bundle: %.0f MB/s of zip bytes (target 60)\n", n / a / 1e6 }'
fi

! wanted pack || scripts/bench-pack.sh
! wanted serve || scripts/bench-serve.sh
