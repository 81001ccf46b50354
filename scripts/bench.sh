#!/usr/bin/env bash
# ./dev bench [PART] [ARGS]: the benchmarks.
#
#   deciding   criterion's, of the parts of deciding; ARGS go to criterion. Also what runs without a PART
#   plan       whole processes on generated monorepos, against git, turbo, nx and moon: see bench/plan.sh
#   engine     whole builds, against docker buildx and docker compose: see bench/engine.sh

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

case ${1:-} in
  plan | engine)
    part=$1
    shift
    exec bash "scripts/bench/$part.sh" "$@"
    ;;
  deciding) shift ;;
esac
cargo bench --package dtbuild --bench deciding --locked -- "$@"
