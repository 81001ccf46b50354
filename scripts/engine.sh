#!/usr/bin/env bash
# ./dev engine up [ENGINE...] | down [ENGINE...] | env: private container engines and two registries for tests and the demo.
#
# Up:  a dockerd of our own, that shares nothing with the machine's (see engine/daemon.sh); the team's
#      registry, where pushes go; and a mirror, from which official base names are pulled (engine/bases.sh).
#      Besides, when they are named: 28, 28-containerd (engine/sid.sh), podman (engine/podman.sh), or all; and
#      28-bench, which `./dev bench engine` starts and ends.
# Down: those that are named, or everything.
# All state is in target/engine; only what costs minutes is kept outside: base images, fetched packages.

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
# shellcheck source=scripts/engine/sid.sh
source "$root/scripts/engine/sid.sh"
# shellcheck source=scripts/engine/podman.sh
source "$root/scripts/engine/podman.sh"
# shellcheck source=scripts/engine/bases.sh
source "$root/scripts/engine/bases.sh"

cache=${DTBUILD_DEV_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/dtbuild-dev}

variants=(28 28-containerd podman)
others=("${variants[@]}" 28-bench)

# Every engine that is up; those that are not have no line.
write_env() {
  local name variable
  {
    cat <<ENV
export DOCKER_HOST=unix://$(daemon_run docker)/docker.sock
export DTBUILD_TEST_REGISTRY=127.0.0.1:$(cat "$engine/team.port")
export DTBUILD_TEST_MIRROR=127.0.0.1:$(cat "$engine/mirror.port")
ENV
    for name in "${others[@]}"; do
      variable=${name^^}
      if answers "$name"; then
        echo "export DTBUILD_TEST_ENGINE_${variable//-/_}=unix://$(daemon_run "$name")/docker.sock"
      fi
    done
    if [[ -n $sid_root ]]; then
      echo "export DTBUILD_TEST_BUILDX=$(sid_plugin docker-buildx)"
      echo "export DTBUILD_TEST_COMPOSE=$(sid_plugin docker-compose)"
      echo "export DTBUILD_TEST_DOCKER=$sid_root/usr/bin/docker"
    fi
  } >"$engine/env.new"
  mv "$engine/env.new" "$engine/env"
}

answers() {
  case $1 in
    podman) podman_is_ours && podman_answers ;;
    *) daemon_answers "$1" ;;
  esac
}

# variant_up NAME: an engine besides the first.
variant_up() {
  case $1 in
    podman) podman_up ;;
    *)
      bridge_up "$(daemon_id "$1")" "$block.${subnets[$1]}.1"
      daemon_up "$1"
      ;;
  esac
}

known() { [[ " ${others[*]} " == *" $1 "* ]] || fail "no engine \`$1\`; there are: ${others[*]}"; }

up() {
  local name wanted=("$@")
  [[ ${wanted[*]} != all ]] || wanted=("${variants[@]}")
  for name in "${wanted[@]}"; do
    known "$name"
  done
  install_packages
  if [[ " ${wanted[*]} " == *" podman "* ]]; then install_packages podman=podman unshare=util-linux; fi
  ((EUID == 0)) || fail "a private dockerd needs root: sudo ./dev engine up"
  mkdir -p "$engine" "$cache"
  exec 8>"$engine/lock" # one `up` or `down` per checkout at a time
  flock 8
  network_up
  bases_up
  registry_up team "$engine/team" writable
  daemon_up
  sid_root=$(sid_known)
  if [[ " ${wanted[*]} " == *" 28"* ]]; then sid_up; fi
  for name in "${wanted[@]}"; do
    variant_up "$name"
  done
  write_env
  say "engine: up. eval \"\$(./dev engine env)\" points docker and the tests to it"
}

down() {
  local name
  [[ -d $engine ]] || return 0
  ((EUID == 0)) || fail "ending the private dockerd needs root: sudo ./dev engine down"
  exec 8>"$engine/lock"
  flock 8
  if (($# > 0)); then
    some_down "$@"
    return
  fi
  rm -f "$engine/env"
  podman_down
  for name in 28-bench 28-containerd 28 docker; do
    daemon_down "$name"
  done
  rm -rf "$(runtime_dir)" "$engine/runtime"
  network_down
  registry_down team
  registry_down mirror
  say "engine: down. The base images stay in $cache"
}

# Only these; the others stay as they are.
some_down() {
  local name
  for name in "$@"; do
    known "$name"
    if [[ $name == podman ]]; then podman_down; else daemon_down "$name"; fi
    say "engine: $name is down"
  done
  sid_root=$(sid_known)
  write_env
}

print_env() {
  [[ -f $engine/env ]] || fail "the engine is not up; run ./dev engine up"
  cat "$engine/env"
}

command=${1:-}
(($# == 0)) || shift
case $command in
  up) up "$@" ;;
  down) down "$@" ;;
  env) print_env ;;
  *) fail "usage: ./dev engine up [${variants[*]} | all] | down [ENGINE...] | env" ;;
esac
