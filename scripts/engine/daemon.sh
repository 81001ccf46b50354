# shellcheck shell=bash
# The private dockerd: own data, own sockets, own containerd namespace, cgroup and addresses.

# Sockets' paths are limited to 107 bytes: a deep checkout keeps them in a short folder elsewhere.
runtime_dir() {
  local dir
  if dir=$(cat "$engine/runtime" 2>/dev/null) && [[ -d $dir ]]; then
    printf '%s' "$dir"
    return
  fi
  dir=$engine/run
  if ((${#dir} > 60)); then dir=$(mktemp -d "${XDG_RUNTIME_DIR:-/tmp}/dtbuild-XXXXXX"); fi
  mkdir -p "$dir"
  chmod 0700 "$dir"
  printf '%s' "$dir" >"$engine/runtime"
  printf '%s' "$dir"
}

daemon_config() {
  local run=$1
  cat <<JSON
{
  "data-root": "$engine/data",
  "exec-root": "$run/exec",
  "pidfile": "$engine/dockerd.pid",
  "hosts": ["unix://$run/docker.sock"],
  "registry-mirrors": ["http://127.0.0.1:$(cat "$engine/mirror.port")"],
  "exec-opts": ["native.cgroupdriver=cgroupfs"],
  "cgroup-parent": "/$id",
  "bridge": "$id",
  "default-address-pools": [{ "base": "$block.128.0/17", "size": 24 }],
  "iptables": false,
  "ip6tables": false,
  "shutdown-timeout": 5
}
JSON
}

daemon_up() {
  local run config=$engine/daemon.json
  run=$(runtime_dir)
  daemon_config "$run" >"$config.new"
  if is_ours "$engine/dockerd.pid" "$config" && cmp -s "$config.new" "$config" && daemon_answers; then
    rm "$config.new"
    say "engine: dockerd is up at unix://$run/docker.sock"
    return
  fi
  daemon_down
  run=$(runtime_dir)
  daemon_config "$run" >"$config"
  rm "$config.new"
  : >"$engine/dockerd.log"
  start_detached "$engine/dockerd.log" dockerd --config-file "$config" \
    --containerd-namespace "$id" --containerd-plugins-namespace "$id-plugins"
  echo $! >"$engine/started.pid"
  wait_until 60 daemon_settled || true
  daemon_answers || {
    tail -n 10 "$engine/dockerd.log" >&2
    fail "dockerd does not start; the whole log: $engine/dockerd.log"
  }
  say "engine: dockerd $(engine_docker version --format '{{.Server.Version}}') started at unix://$run/docker.sock"
}

# The socket of this engine, whatever DOCKER_HOST says. Its client may come without the BuildKit plugin.
engine_docker() {
  DOCKER_HOST=unix://$(runtime_dir)/docker.sock DOCKER_BUILDKIT=0 "$docker" "$@"
}

daemon_answers() { engine_docker version >/dev/null 2>&1; }
daemon_settled() { daemon_answers || is_gone "$engine/started.pid" "$engine/daemon.json"; }

daemon_down() {
  local run containers
  run=$(runtime_dir)
  if daemon_answers; then
    mapfile -t containers < <(engine_docker ps -aq)
    ((${#containers[@]} == 0)) || engine_docker rm -fv "${containers[@]}" >/dev/null || true
    engine_docker network prune -f >/dev/null || true # their bridges would stay
  fi
  stop_ours "$engine/dockerd.pid" "$engine/daemon.json" 30
  stop_ours "$engine/started.pid" "$engine/daemon.json" 1
  # What a dockerd that was killed leaves behind: containers, their shims, containerd, mounts.
  kill_containers
  kill_shims "$run/exec/containerd"
  stop_ours "$run/exec/containerd/containerd.pid" "$run/exec" 10
  unmount_below "$engine/data"
  unmount_below "$run"
  rm -rf "$run" "$engine/runtime"
}

# The folder itself is a mount too: dockerd binds it to itself.
unmount_below() {
  local mount
  while read -r _ mount _; do
    mount=$(printf '%b' "$mount") # a blank is written as \040
    if [[ $mount/ == "$1"/* ]]; then umount -l "$mount" || true; fi
  done < <(tac /proc/self/mounts)
}

# Every process of a container is in our cgroup, and nothing else is.
kill_containers() {
  local list pid
  for list in /sys/fs/cgroup/"$id" /sys/fs/cgroup/*/"$id"; do
    [[ -d $list ]] || continue
    while read -r pid; do
      kill -KILL "$pid" 2>/dev/null || true
    done < <(find "$list" -name cgroup.procs -exec cat {} + 2>/dev/null)
    wait_until 5 cgroup_removed "$list" || say "engine: cgroup $list stays: a process in it does not end"
  done
}

# A killed process leaves its cgroup a moment later.
cgroup_removed() {
  find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
  [[ ! -d $1 ]]
}

# Shims name the socket of their containerd in their command line.
kill_shims() {
  local file
  for file in /proc/[0-9]*/cmdline; do
    if tr '\0' ' ' 2>/dev/null <"$file" | grep -qE -- "^[^ ]*containerd-shim.* -address $1/"; then
      kill -KILL "$(basename "$(dirname "$file")")" 2>/dev/null || true
    fi
  done
}
