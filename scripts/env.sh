# Sourced by the Makefile's recipes: the environment in which cargo links the RocksDB that
# scripts/rocksdb.sh compiled once, instead of compiling it again.
ROCKSDB_LIB_DIR=$("$(dirname "${BASH_SOURCE[0]}")/rocksdb.sh") || exit
export ROCKSDB_LIB_DIR ROCKSDB_STATIC=1
