#!/usr/bin/env bash
# The demo's isolated half, run by scripts/demo.sh behind the gap: the real go command builds a program there.
set -euo pipefail
inside=$1 program=$2 version=$3

mkdir -p "$inside/project"
cp "$inside/main.go" "$inside/project/"
cd "$inside/project"
run() { echo "\$ $*"; "$@"; }
run go env GOPROXY GOSUMDB GONOSUMDB GOFLAGS GOTOOLCHAIN
run go mod init example.com/behind-the-gap
run go get "$program@$version" 2>&1 | tail -n 3
run go mod tidy 2>&1 | tail -n 3
run go build -o caddy .
run ./caddy version
run go mod verify | tee "$inside/verified"
grep -q '^all modules verified$' "$inside/verified"
