#!/usr/bin/env bash
# Fuzzes every parser that sees untrusted bytes for a while each, one after the other (`make fuzz SECONDS=n`), and
# ends with a table: how often each ran, how much code it reached, what it found.
#
# What the fuzzer learns stays below target/fuzz, so that the next run goes on from there; fuzz/corpus is only read.
# TARGETS="zip note" in the environment runs only those. Needs the nightly toolchain and cargo-fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?usage: scripts/fuzz.sh SECONDS}

fail() { echo "fuzz.sh: $*" >&2; exit 2; }
cargo +nightly --version >/dev/null 2>&1 || fail "no nightly toolchain: rustup toolchain install nightly --profile minimal"
cargo fuzz --version >/dev/null 2>&1 || fail "no cargo-fuzz: cargo install cargo-fuzz --locked"

base=${CARGO_TARGET_DIR:-$PWD/target}/fuzz
cargo +nightly fuzz build --target-dir "$base/build"
host=$(rustc -vV | sed -n 's/^host: //p')
read -r -a targets <<<"${TARGETS:-$(cd fuzz/fuzz_targets && echo *.rs | sed 's/\.rs//g')}"

rows=() status=0
for target in "${targets[@]}"; do
    mkdir -p "$base/corpus/$target" "$base/artifacts/$target"
    known=(fuzz/corpus/"$target")
    case $target in # inputs that the ordinary tests have anyway
        zip | recipe) known+=(protocol/tests/vectors/zip) ;;
        volume) known+=(protocol/tests/bundle/example) ;;
    esac
    log=$base/$target.log
    echo "fuzz.sh: $target for $seconds s"
    result=survived
    "$base/build/$host/release/$target" -max_total_time="$seconds" -max_len=16384 -timeout=30 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$base/artifacts/$target/" "$base/corpus/$target" "${known[@]}" >"$log" 2>&1 ||
        { result="FOUND: see $log" status=1; tail -n 30 "$log"; }
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    edges=$(grep -o ' cov: [0-9]*' "$log" | tail -n 1 | tr -dc 0-9 || true)
    rows+=("$(printf '%-12s %8s %12s %8s  %s' "$target" "$seconds" "${runs:-?}" "${edges:-?}" "$result")")
done
printf '%-12s %8s %12s %8s  %s\n' target seconds runs edges result
printf '%s\n' "${rows[@]}"
exit "$status"
