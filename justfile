# The one entry point: `just demo`, `just test`, `just lint`, `just bench`. CI calls these and nothing else.

set shell := ["bash", "-euo", "pipefail", "-c"]

# List the recipes
default:
    @just --list

# Run the example to a passing verify and a printed diff; needs nothing but root, git and Rust
demo: engine
    scripts/demo

# Every test, on a real container engine
test: engine images
    scripts/test

# Formatting, lints, fences and the layering of the crates
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    cargo deny --workspace --offline check bans licenses sources

# Start, verdict and harvest times, medians over 20 runs, as a table and target/bench.json
bench: engine images
    cargo build --release --locked
    cargo run --release --locked --package system-tests --bin bench

# Install and start a container engine if none answers
engine:
    scripts/engine

# Build the images that runs need
images:
    cargo run --quiet --locked --package cli -- image build
