#!/usr/bin/env bash
# ./dev bench [ARGS]: the benchmarks. ARGS go to `cargo bench`.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
cargo bench --workspace --locked "$@"
