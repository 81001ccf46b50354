#!/usr/bin/env bash
# ./dev bench [PART] [ARGS]: the benchmarks.
#
#   deciding   criterion's, of the parts of deciding; ARGS go to criterion. Also what runs without a PART
#   plan       whole processes on generated monorepos, against git, turbo, nx and moon: see bench/plan.sh

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

case ${1:-} in
  plan)
    shift
    exec bash scripts/bench/plan.sh "$@"
    ;;
  deciding) shift ;;
esac
cargo bench --package dtbuild --bench deciding --locked -- "$@"
