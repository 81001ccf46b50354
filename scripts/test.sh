#!/usr/bin/env bash
# ./dev test [ARGS]: every test, against a real engine and a real registry. ARGS go to `cargo test`; without
# any, the reference stack is deployed too, by the demo, which checks all that it claims.
# ./dev test oracle [--mutations N] [--seed S] [--seconds T]: keys against BuildKit alone, with its figures.
# ./dev test histories [--commits N] [--seed S]: the same over generated histories of monorepos, commit by commit.
# ./dev test engines [ARGS]: the tests of builds on every engine, each the same: docs/engines.md is what they find.
# The engine stays up for the next time; under CI=true it is taken down, whatever the outcome.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

engine_down() { bash scripts/engine.sh down || true; }
if [[ ${CI:-} == true ]]; then trap engine_down EXIT; fi

if [[ ${1:-} == oracle ]]; then
  shift
  while (($# > 0)); do
    case $1=${2:-} in
      --mutations=[0-9]*) export ORACLE_MUTATIONS=$2 ;;
      --seed=[0-9]*) export ORACLE_SEED=$2 ;;
      --seconds=[0-9]*) export ORACLE_SECONDS=$2 ;;
      *)
        echo "usage: ./dev test oracle [--mutations N] [--seed S] [--seconds T]" >&2
        exit 2
        ;;
    esac
    shift 2
  done
  set -- --test integration oracle:: -- --nocapture
fi

if [[ ${1:-} == histories ]]; then
  shift
  export HISTORIES_COMMITS=150
  while (($# > 0)); do
    case $1=${2:-} in
      --commits=[0-9]*) export HISTORIES_COMMITS=$2 ;;
      --seed=[0-9]*) export HISTORIES_SEED=$2 ;;
      *)
        echo "usage: ./dev test histories [--commits N] [--seed S]" >&2
        exit 2
        ;;
    esac
    shift 2
  done
  set -- --test integration histories:: -- --nocapture
fi

# All engines at once would wait for one another: one after the other.
test_engines() {
  local entry failed=()
  bash scripts/engine.sh up all
  # shellcheck source=/dev/null
  source "$engine/env"
  for entry in "first=$DOCKER_HOST" "28=$DTBUILD_TEST_ENGINE_28" \
    "28-containerd=$DTBUILD_TEST_ENGINE_28_CONTAINERD" "podman=$DTBUILD_TEST_ENGINE_PODMAN"; do
    say "test: engine ${entry%%=*}"
    DOCKER_HOST=${entry#*=} cargo test --workspace --locked --test integration -- engine:: flow:: "$@" \
      || failed+=("${entry%%=*}")
  done
  ((${#failed[@]} == 0)) || fail "tests failed on: ${failed[*]}"
}

# What does not compile is said before minutes go into an engine.
cargo build --workspace --all-targets --locked
if [[ ${1:-} == engines ]]; then
  shift
  test_engines "$@"
  exit
fi
# Docker 28 for what 20.10 cannot read, and for its client; its containerd store for buildkitd's interface.
bash scripts/engine.sh up 28 28-containerd
# shellcheck source=/dev/null
source "$engine/env"
cargo test --workspace --locked "$@"
if (($# == 0)); then
  DTBUILD_BIN=${CARGO_TARGET_DIR:-$root/target}/debug/dtbuild bash scripts/demo.sh
fi
