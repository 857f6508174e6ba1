#!/usr/bin/env bash
# Compiles RocksDB's C++ once for this machine, and prints the folder that holds librocksdb.a.
#
# It takes about eight minutes on two cores, and cargo would do it again for every profile and every
# clone. So it is done by the crate's own build script in a target folder outside the checkout, keyed
# by the crate's version, the compiler and the CPU; later builds only link the result (scripts/env.sh
# sets ROCKSDB_LIB_DIR). MODFERRY_BUILD_CACHE moves the folder; ~/.cache/modferry is the default.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${MODFERRY_BUILD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/modferry}
version=$(sed -n '/^name = "librocksdb-sys"$/{n;s/^version = "\(.*\)"$/\1/p}' Cargo.lock)
[ -n "$version" ] || { echo "rocksdb.sh: Cargo.lock names no librocksdb-sys" >&2; exit 1; }
compiler=$(${CXX:-c++} -dumpmachine)-$(${CXX:-c++} -dumpversion)
dir=$cache/rocksdb-$version-$compiler

mkdir -p "$dir"
exec 9>"$dir/.lock"
flock 9 # a second build on this machine waits for the first one's result
if [ ! -f "$dir/librocksdb.a" ]; then
    echo "rocksdb.sh: compiling RocksDB $version once for this machine, into $dir (about 8 minutes on 2 cores)" >&2
    env -u ROCKSDB_LIB_DIR -u ROCKSDB_STATIC \
        cargo build --locked --release --package librocksdb-sys --target-dir "$dir/target" >&2
    built=$(find "$dir/target/release/build" -path '*librocksdb-sys-*/out/librocksdb.a' | head -n 1)
    [ -n "$built" ] || { echo "rocksdb.sh: the build left no librocksdb.a under $dir/target" >&2; exit 1; }
    cp "$built" "$dir/librocksdb.a.partial"
    mv "$dir/librocksdb.a.partial" "$dir/librocksdb.a" # whole or not there
    rm -rf "$dir/target"
fi
echo "$dir"
