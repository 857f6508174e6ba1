# Thin names over cargo and scripts/. `make demo` and `make test` are the two that matter.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

# The RocksDB of this machine, compiled once and outside the checkout (scripts/rocksdb.sh).
WITH_ROCKSDB = . scripts/env.sh;

.PHONY: help setup build demo test test-live test-go-scripts test-faults lint fuzz bench clean

help:
	@echo "make demo       carry a real program's modules across a gap and build it there"
	@echo "make test       every hermetic test"
	@echo "make test-live  real modules through your GOPROXY: the demo's job, byte identity, a Go toolchain"
	@echo "make test-go-scripts  the scripts that come with Go itself, against a mirror in the place of their proxy"
	@echo "make test-faults  every fault: kills, full disks, lost power, bad media; ends with a table"
	@echo "make lint       formatter, clippy, unit files"
	@echo "make fuzz       every parser of untrusted bytes, SECONDS=60 each (nightly toolchain)"
	@echo "make bench      speed and size, side by side with named peers"
	@echo "make build      release binaries, in target/release"
	@echo "make setup      install what building needs, through the system's package manager"

setup:
	@scripts/setup.sh

build: setup
	@$(WITH_ROCKSDB) cargo build --locked --release --bins

demo: build
	@scripts/demo.sh

# The binaries first: the scenarios in tests/ run them.
test: setup
	@$(WITH_ROCKSDB) cargo build --locked --workspace --bins && cargo test --locked --workspace

test-live: build
	@$(WITH_ROCKSDB) cargo test --locked --release --package modferry-tests --test 'live*' -- --ignored --nocapture
	@$(WITH_ROCKSDB) cargo test --locked --release --package modferry-bundler --test live_selection -- --ignored --nocapture

# SCRIPTS='^mod_get' runs only those whose names match.
SCRIPTS ?= .
test-go-scripts: build
	@scripts/go-scripts.sh '$(SCRIPTS)'

test-faults: setup
	@scripts/test-faults.sh

lint: setup
	@cargo fmt --all --check
	@$(WITH_ROCKSDB) cargo clippy --locked --workspace --all-targets -- -D warnings
	@scripts/check-systemd.sh

SECONDS ?= 60
fuzz:
	@scripts/fuzz.sh $(SECONDS)

bench: build
	@scripts/bench.sh

clean:
	@cargo clean
