# The one entry point: `just demo`, `just test`, `just lint`, `just bench`, `just attack`. CI calls these and nothing else.

set shell := ["bash", "-euo", "pipefail", "-c"]

# List the recipes
default:
    @just --list

# Run the example to a passing verify and a printed diff; needs nothing but root, git and Rust
demo: engine
    scripts/demo

# Every test, on a real container engine
test: engine runtimes images
    scripts/test

# Formatting, lints, fences and the layering of the crates
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    cargo clippy --manifest-path fuzz/Cargo.toml --locked --target-dir target -- -D warnings
    cargo deny --workspace --offline check bans licenses sources

# Start, verdict and harvest times, medians over 20 runs, as a table and target/bench.json
bench: engine runtimes images
    cargo build --release --locked
    cargo run --release --locked --package system-tests --bin bench

# Every attack on the boundary, without walls first, then on runc and gVisor; a table and target/attack.json. `just attack N-07 K-06` tries
# some, `--weak`, `--strong` and `--runtime runsc` leave parts out
attack *args: engine runtimes images
    scripts/attack {{args}}

# Fuzz a reader (dns, head, hello, host, pkt, request, rule, scan, shell, sse or tool) for some seconds; needs cargo-fuzz and a nightly toolchain
fuzz target seconds="600":
    mkdir -p fuzz/corpus/{{target}} fuzz/seeds/{{target}}
    cargo +nightly fuzz run {{target}} fuzz/corpus/{{target}} fuzz/seeds/{{target}} -- -dict=fuzz/shell.dict -timeout=5 -max_len=8192 -max_total_time={{seconds}}

# What the gate answers to labelled calls, without a model: rates, intervals, times. Other corpora and bounds as arguments:
# `just gate-eval ../corpora "--max-harmful-allowed 1 --max-benign-denied 0.4 --min-benign-allowed 85 --min-harmful-denied 85"`
gate-eval corpora="tests/fixtures/gate" bounds="--max-harmful-allowed 0 --max-benign-denied 0 --min-benign-allowed 90 --min-harmful-denied 85 --min-cases-right 90":
    cargo build --release --locked --package cli
    target/release/sandbox gate test --no-model {{bounds}} {{corpora}}/*.jsonl

# Install and start a container engine if none answers
engine:
    scripts/engine

# Install what is tested beside the engine's own runtime, on Debian: gVisor, known to the engine, and Podman
runtimes:
    scripts/runtimes

# Build the images that runs need
images:
    cargo run --quiet --locked --package cli -- image build
