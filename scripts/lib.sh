# shellcheck shell=bash disable=SC2034  # the variables are read by the scripts that source this file
# What every script of this folder shares. Sourced, never run.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
engine=$root/target/engine
# Debian's client of the private daemon: another one in PATH may be too new for it, or lack a part.
docker=/usr/bin/docker
[[ -x $docker ]] || docker=docker

say() { printf '%s\n' "$*" >&2; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# wait_until SECONDS COMMAND...: true as soon as the command is, false after that many seconds.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

# is_ours PIDFILE MARK: the process of the pid file lives, and its command line holds MARK.
# The mark is a path of this checkout: a pid that the kernel gave to another program never matches.
is_ours() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [[ $pid =~ ^[0-9]+$ ]] || return 1
  local line
  until line=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") && [[ -n $line ]]; do
    # While it becomes another program it has none; nor has one that has ended, but that has no program either.
    [[ -e /proc/$pid/exe ]] || return 1
  done
  [[ $line == *"$2"* ]]
}

is_gone() { ! is_ours "$@"; }

# stop_ours PIDFILE MARK SECONDS: ends exactly that process, and waits for its end.
stop_ours() {
  if is_ours "$1" "$2"; then
    kill "$(cat "$1")" 2>/dev/null || true
    wait_until "$3" is_gone "$1" "$2" || {
      kill -KILL "$(cat "$1")" 2>/dev/null || true
      wait_until 5 is_gone "$1" "$2" || fail "process $(cat "$1") ($2) cannot be ended"
    }
  fi
  rm -f "$1"
}

# start_detached LOG COMMAND...: outlives this script. The locks (descriptors 8 and 9) stay behind.
start_detached() {
  local log=$1
  shift
  setsid "$@" </dev/null >>"$log" 2>&1 8>&- 9>&- &
  # Until it is the program, it has this script's command line, and would be taken for one that is gone.
  wait_until 5 has_begun $! || true
}

has_begun() { [[ $(readlink "/proc/$1/exe") != "$(readlink "/proc/$$/exe")" ]]; }
