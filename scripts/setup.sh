#!/usr/bin/env bash
# Installs what building and testing modferry needs and this machine lacks, through the system's package
# manager, and says what it does. Rust and Go are not installed: a missing one is named, with where to get it.
set -euo pipefail

fail() { echo "setup.sh: $*" >&2; exit 1; }

command -v cargo >/dev/null || fail "no cargo on PATH: install Rust 1.89 or newer (rustup, or your distribution's package)"
command -v go >/dev/null || fail "no go on PATH: install Go 1.25 or newer; the tests and the demo run the real go command"

# What is needed, how to see that it is there, and the Debian and Fedora packages that bring it.
has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] || compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null \
        || compgen -G '/usr/lib*/libclang.so*' >/dev/null
}
has_clang_headers() {
    compgen -G '/usr/lib/llvm-*/lib/clang/*/include/stddef.h' >/dev/null \
        || compgen -G '/usr/lib*/clang/*/include/stddef.h' >/dev/null
}
missing_debian=() missing_fedora=()
need() { missing_debian+=("$1"); missing_fedora+=("$2"); }

{ has_libclang && has_clang_headers; } || need libclang-dev clang-devel # bindgen reads RocksDB's C header with it
command -v c++ >/dev/null || need g++ gcc-c++                           # RocksDB is C++
command -v cc >/dev/null || need gcc gcc
command -v ip >/dev/null || need iproute2 iproute                       # the demo's network namespace
command -v unshare >/dev/null || need util-linux util-linux
command -v flock >/dev/null || need util-linux util-linux
command -v git >/dev/null || need git git
command -v strace >/dev/null || need strace strace                      # the fault tests kill at exact system calls

[ ${#missing_debian[@]} -eq 0 ] && exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "missing: ${missing_debian[*]} (Debian's names). Install them as root, then run this again"
    sudo=sudo
fi
if command -v apt-get >/dev/null; then
    echo "setup.sh: installing ${missing_debian[*]} with apt-get"
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing_debian[@]}" >/dev/null
elif command -v dnf >/dev/null; then
    echo "setup.sh: installing ${missing_fedora[*]} with dnf"
    $sudo dnf install -y -q "${missing_fedora[@]}"
else
    fail "no apt-get and no dnf here. Install what carries these Debian names: ${missing_debian[*]}"
fi
