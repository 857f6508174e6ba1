#!/usr/bin/env bash
# Every fault of the fault tests, not the handful of the ordinary run (`make test-faults`), and a table at the end of
# what was tried and survived. What this machine does not permit is in the table as SKIPPED.
#
# MODFERRY_FAULTS_SEED=n repeats the moments of an earlier run; the rows above the table print theirs.
# The faults are independent of one another, and of time, but they load the machine: expect a quarter of an hour to half of one.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh

tests=(crash crash_export disk_full io_error power together media volumes clock)
table=$(mktemp)
trap 'rm -f "$table"' EXIT
words=()
for test in "${tests[@]}"; do words+=(--test "$test"); done
cargo build --locked --workspace --bins
status=0
MODFERRY_FAULTS=full MODFERRY_FAULTS_TABLE=$table cargo test --locked --no-fail-fast --package modferry-tests "${words[@]}" -- \
    --include-ignored --nocapture --test-threads=1 || status=$?
# Volumes at the boundaries of 2, 4 and 8 GiB, written and read back.
cargo test --locked --package modferry-protocol --test bundle -- --ignored || status=$?
echo
echo '| fault | tried | survived | |'
echo '|---|---|---|---|'
sort "$table"
echo
echo "$(wc -l <"$table") kinds of faults, $(grep -c SKIPPED "$table" || true) skipped, $(grep -c FAILED "$table" || true) failed"
exit "$status"
