#!/usr/bin/env bash
# The scripts that come with Go itself, run against a mirror (`make test-go-scripts`).
#
# The tests of cmd/go run some hundred scripts against a module proxy and a checksum database of their own. They run here
# twice: once as they are, and once with modferry-server in the place of the proxy, after modferry-bundler has exported all of its
# modules and modferry-appliance has imported them. A script that passes the first time and not the second is a defect, and ends this
# with exit code 1. Everything is taken from this machine's GOROOT, and nothing is written there; nothing else is asked.
#
#   scripts/go-scripts.sh [REGEXP]     only scripts whose names match
#
# Scripts that take long, or are about version control, are left out, as `go test -short` does; LONG=1 runs them, too. A script
# that says itself that it needs the internet may fail the first time, and then counts for nothing. Any other that fails the first
# time ends this with exit code 1, as does a first run in which none passes, or, of all scripts, fewer than half: there would be
# nothing to compare with.
set -euo pipefail
cd "$(dirname "$0")/.."

here=$PWD
bin=${MODFERRY_BIN:-${CARGO_TARGET_DIR:-$here/target}/release}
work=${CARGO_TARGET_DIR:-$here/target}/go-scripts
# What a developer has set for the go command is none of theirs.
unset GOFLAGS GOPROXY GOSUMDB GOPRIVATE GONOPROXY GONOSUMDB
export GOENV=off GOTOOLCHAIN=local
goroot=$(go env GOROOT)
tests=$goroot/src/cmd/go
fail() { echo "go-scripts.sh: $*" >&2; exit 1; }
[ -d "$tests/testdata/script" ] || fail "$goroot has no tests of the go command: install Go as go.dev distributes it"
pattern=${1:-.}
short=(-test.short)
[ -n "${LONG:-}" ] && short=()

rm -rf "$work"
mkdir -p "$work/home" "$work/tmp"
export TMPDIR=$work/tmp
started=()
stop() { for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done; wait; }
trap stop EXIT

# The stand-in between the tests' server and what it answers with.
was='http.HandlerFunc(proxyHandler)'
[ "$(grep -cF "$was" "$tests/proxy_test.go")" = 1 ] || fail "$tests/proxy_test.go is not as it was: $was is not there once"
sed "s/$was/http.HandlerFunc(modferryProxy)/" "$tests/proxy_test.go" >"$work/proxy_test.go"
printf '{"Replace": {"%s": "%s", "%s": "%s"}}\n' \
    "$tests/proxy_test.go" "$work/proxy_test.go" \
    "$tests/modferry_test.go" "$here/scripts/go-scripts/stand_in_test.go" >"$work/overlay.json"
echo "compiling the go command's tests ($(go env GOVERSION))"
(cd "$tests" && go test -c -overlay="$work/overlay.json" -o "$work/cmdgo.test" .)
export MODFERRY_NOTES=$work/queries.list
: >"$MODFERRY_NOTES"

scripts() { # NAME: runs them, and leaves what came of each
    local status=0
    (cd "$tests" && "$work/cmdgo.test" "${short[@]}" -test.timeout 60m -test.v -test.run "^TestScript\$/$pattern") >"$work/$1.out" 2>&1 || status=$?
    sed -nE 's/^    --- ([A-Z]+): TestScript\/(.*) \([0-9.]+s\)$/\2 \1/p' "$work/$1.out" | sort >"$work/$1.results"
    [ -s "$work/$1.results" ] || { tail -20 "$work/$1.out" >&2; fail "no script was run (exit $status)"; }
    echo "$1: $(cut -d' ' -f2 "$work/$1.results" | sort | uniq -c | tr -s ' \n' ' ')"
}

echo "the scripts with their own proxy"
scripts without
# Is there enough to compare with?
passed=$(grep -c ' PASS$' "$work/without.results" || true)
least=1
[ "$pattern" = . ] && least=$(($(find "$tests/testdata/script" -name '*.txt' | wc -l) / 2))
[ "$passed" -ge "$least" ] || fail "$passed scripts pass without the mirror, want $least at least: with fewer this proves nothing"
unexplained=()
for script in $(sed -n 's/ FAIL$//p' "$work/without.results"); do
    grep -q '^\[!net' "$tests/testdata/script/$script.txt" || unexplained+=("$script")
done
[ ${#unexplained[@]} = 0 ] || fail "these fail without the mirror, and do not say that they need the internet: ${unexplained[*]} (see $work/without.out)"

echo "its modules, carried over"
(cd "$tests" && "$work/cmdgo.test" -test.run '^TestModferryLists$' -test.v) >"$work/lists.out" 2>&1 || { cat "$work/lists.out" >&2; exit 1; }
sed -nE 's/^ +[a-z_]+\.go:[0-9]+: (private|left-out): /  \1: /p' "$work/lists.out"
(cd "$tests" && exec "$work/cmdgo.test" -proxy=127.0.0.1:0) >"$work/proxy.out" 2>&1 &
started+=($!)
waited() { # FILE SED: the first that it says so
    local n
    for n in $(seq 600); do
        [ -n "$(sed -nE "$2" "$1" 2>/dev/null | head -1)" ] && { sed -nE "$2" "$1" | head -1; return; }
        sleep 0.1
    done
    cat "$1" >&2
    fail "it did not start"
}
proxy=$(waited "$work/proxy.out" 's/.*GOPROXY=(.*)/\1/p')
database=$(sed -nE 's/^[[:space:]]*testSumDBVerifierKey *= *"(.*)"$/\1/p' "$tests/proxy_test.go")
sort -u "$MODFERRY_NOTES" >"$work/asked.list"
mv "$work/asked.list" "$MODFERRY_NOTES"
site=(env HOME="$work/home" XDG_STATE_HOME="$work/state" XDG_CACHE_HOME="$work/cache" GOPROXY="$proxy" GOSUMDB="$database")
cat >"$work/modferry.yaml" <<YAML
key: site.key
out: bundle
follow: none
newest: none
list: [public.list, queries.list]
YAML
[ -s "$work/private.list" ] && grep -q . "$work/private.list" && cat >>"$work/modferry.yaml" <<YAML
modules: [$(sed 's/$/@all/' "$work/private.list" | paste -sd, -)]
private: [{patterns: [$(paste -sd, "$work/private.list")], goproxy: "$proxy"}]
YAML
"${site[@]}" "$bin/modferry-bundler" keygen site --out "$work" >/dev/null
"${site[@]}" "$bin/modferry-bundler" export --config "$work/modferry.yaml" >"$work/export.out" 2>&1 || { cat "$work/export.out" >&2; exit 1; }
grep -E '^exported|^proven' "$work/export.out"
appliance() { "${site[@]}" "$bin/modferry-appliance" "$@" --store "$work/store" >>"$work/import.out" 2>&1 || { cat "$work/import.out" >&2; exit 1; }; }
appliance trust add "$work/site.pub"
appliance trust add --sumdb "$database"
for module in $(cat "$work/private.list"); do appliance trust private "$module" --key site; done
appliance import "$work/bundle"
"${site[@]}" "$bin/modferry-server" --store "$work/store" --listen 127.0.0.1:0 >"$work/server.out" 2>&1 &
started+=($!)
MODFERRY_MIRROR=$(waited "$work/server.out" 's/.*(http:\/\/127\.0\.0\.1:[0-9]+).*/\1/p')
export MODFERRY_MIRROR

echo "the scripts with the mirror"
scripts with
asked=$(grep -c 'method="GET"' "$work/server.out" || true)
[ "$asked" -gt 0 ] || fail "the mirror was asked for nothing"
echo "the mirror answered $asked requests"
worse=$(join "$work/without.results" "$work/with.results" -a 1 -e NONE -o 0,1.2,2.2 | awk '$2 == "PASS" && $3 != "PASS" { print $1 }')
[ -z "$worse" ] && { echo "no script that passes without the mirror fails with it"; exit 0; }
for script in $worse; do
    echo "FAILED with the mirror: $script"
    sed -n "/^=== NAME  TestScript\/$script\$/,/^=== /p; /^=== CONT  TestScript\/$script\$/,/^=== /p" "$work/with.out" | tail -25
done
exit 1
