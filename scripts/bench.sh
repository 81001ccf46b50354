#!/usr/bin/env bash
# ./dev bench [ARGS]: the benchmarks. ARGS go to criterion.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
cargo bench --package dtbuild --bench deciding --locked -- "$@"
