#!/usr/bin/env bash
# ./dev test [ARGS]: every test, against a real engine and a real registry. ARGS go to `cargo test`.
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
