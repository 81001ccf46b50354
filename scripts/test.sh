#!/usr/bin/env bash
# ./dev test [ARGS]: every test, against a real engine and a real registry. ARGS go to `cargo test`; without
# any, the reference stack is deployed too, by the demo, which checks all that it claims.
# The engine stays up for the next time; under CI=true it is taken down, whatever the outcome.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

engine_down() { bash scripts/engine.sh down || true; }
if [[ ${CI:-} == true ]]; then trap engine_down EXIT; fi

# What does not compile is said before minutes go into an engine.
cargo build --workspace --all-targets --locked
bash scripts/engine.sh up
# shellcheck source=/dev/null
source "$engine/env"
cargo test --workspace --locked "$@"
if (($# == 0)); then
  DTBUILD_BIN=${CARGO_TARGET_DIR:-$root/target}/debug/dtbuild bash scripts/demo.sh
fi
