#!/usr/bin/env bash
# ./dev engine up | down | env: a private container engine and two registries for tests and the demo.
#
# Up:  a dockerd of our own, that shares nothing with the machine's (see engine/daemon.sh); the team's
#      registry, where pushes go; and a mirror, from which official base names are pulled (engine/bases.sh).
# All state is in target/engine; only the base images are kept outside, because they cost minutes.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/engine/packages.sh
source "$root/scripts/engine/packages.sh"
# shellcheck source=scripts/engine/registry.sh
source "$root/scripts/engine/registry.sh"
# shellcheck source=scripts/engine/network.sh
source "$root/scripts/engine/network.sh"
# shellcheck source=scripts/engine/daemon.sh
source "$root/scripts/engine/daemon.sh"
# shellcheck source=scripts/engine/bases.sh
source "$root/scripts/engine/bases.sh"

cache=${DTBUILD_DEV_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/dtbuild-dev}

write_env() {
  cat >"$engine/env.new" <<ENV
export DOCKER_HOST=unix://$(runtime_dir)/docker.sock
export DTBUILD_TEST_REGISTRY=127.0.0.1:$(cat "$engine/team.port")
export DTBUILD_TEST_MIRROR=127.0.0.1:$(cat "$engine/mirror.port")
ENV
  mv "$engine/env.new" "$engine/env"
}

up() {
  install_packages
  ((EUID == 0)) || fail "a private dockerd needs root: sudo ./dev engine up"
  mkdir -p "$engine" "$cache"
  exec 8>"$engine/lock" # one `up` or `down` per checkout at a time
  flock 8
  network_up
  bases_up
  registry_up team "$engine/team" writable
  daemon_up
  write_env
  say "engine: up. eval \"\$(./dev engine env)\" points docker and the tests to it"
}

down() {
  [[ -d $engine ]] || return 0
  ((EUID == 0)) || fail "ending the private dockerd needs root: sudo ./dev engine down"
  exec 8>"$engine/lock"
  flock 8
  rm -f "$engine/env"
  daemon_down
  network_down
  registry_down team
  registry_down mirror
  say "engine: down. The base images stay in $cache"
}

print_env() {
  [[ -f $engine/env ]] || fail "the engine is not up; run ./dev engine up"
  cat "$engine/env"
}

case ${1:-} in
  up) up ;;
  down) down ;;
  env) print_env ;;
  *) fail "usage: ./dev engine up | down | env" ;;
esac
