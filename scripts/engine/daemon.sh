# shellcheck shell=bash
# The private dockerds, each with its own data, sockets, containerd namespace, cgroup and addresses.
#
#   docker          Debian's, of this machine: the one that `up` always starts
#   28              Debian sid's (see sid.sh), with a graph driver
#   28-containerd   the same with containerd's image store
#   28-bench        28 once more, for `./dev bench engine` alone, which empties its cache

# Sockets' paths are limited to 107 bytes: a deep checkout keeps them in a short folder elsewhere.
runtime_dir() {
  local dir
  if dir=$(cat "$engine/runtime" 2>/dev/null) && [[ -d $dir ]]; then
    printf '%s' "$dir"
    return
  fi
  dir=$engine/run
  if ((${#dir} > 50)); then dir=$(mktemp -d "${XDG_RUNTIME_DIR:-/tmp}/dtbuild-XXXXXX"); fi
  mkdir -p "$dir"
  chmod 0700 "$dir"
  printf '%s' "$dir" >"$engine/runtime"
  printf '%s' "$dir"
}

# Where an engine keeps its state, and its sockets.
daemon_home() { if [[ $1 == docker ]]; then printf '%s' "$engine"; else printf '%s' "$engine/$1"; fi; }
daemon_run() {
  local dir
  dir=$(runtime_dir)
  [[ $1 == docker ]] || dir=$dir/$1
  printf '%s' "$dir"
}

# Its name in cgroups and containerd, and that of its bridge (at most 15 bytes).
daemon_id() {
  case $1 in
    docker) printf '%s' "$id" ;;
    28-containerd) printf '%s' "${id}28c" ;;
    28-bench) printf '%s' "${id}28b" ;;
    podman) printf '%s' "${id}pod" ;;
    *) printf '%s' "$id$1" ;;
  esac
}

# A build on a busy machine asks for a name more than the usual two times before it gives up.
daemon_config() {
  local home run pool features
  home=$(daemon_home "$1")
  run=$(daemon_run "$1")
  pool=$(network_pool "$1")
  [[ $1 != 28* ]] || features="\"features\": { \"containerd-snapshotter\": $([[ $1 == 28-containerd ]] && echo true || echo false) },"
  cat <<JSON
{${features:+
  $features}
  "data-root": "$home/data",
  "exec-root": "$run/exec",
  "pidfile": "$home/dockerd.pid",
  "hosts": ["unix://$run/docker.sock"],
  "registry-mirrors": ["http://127.0.0.1:$(cat "$engine/mirror.port")"],
  "exec-opts": ["native.cgroupdriver=cgroupfs"],
  "cgroup-parent": "/$(daemon_id "$1")",
  "bridge": "$(daemon_id "$1")",
  "dns-opts": ["attempts:5"],
  "default-address-pools": [{ "base": "$pool", "size": 24 }],
  "iptables": false,
  "ip6tables": false,
  "shutdown-timeout": 5
}
JSON
}

daemon_up() {
  local name=${1:-docker} home run config
  home=$(daemon_home "$name")
  run=$(daemon_run "$name")
  config=$home/daemon.json
  mkdir -p "$home" "$run"
  daemon_config "$name" >"$config.new"
  if is_ours "$home/dockerd.pid" "$config" && cmp -s "$config.new" "$config" && daemon_answers "$name"; then
    rm "$config.new"
    say "engine: dockerd $(daemon_version "$name") is up at unix://$run/docker.sock"
    return
  fi
  daemon_down "$name"
  mkdir -p "$run"
  mv "$config.new" "$config"
  daemon_start "$name" "$home" "$config"
  wait_until 60 daemon_settled "$name" || true
  daemon_answers "$name" || {
    tail -n 10 "$home/dockerd.log" >&2
    fail "dockerd ($name) does not start; the whole log: $home/dockerd.log"
  }
  say "engine: dockerd $(daemon_version "$name") started at unix://$run/docker.sock"
}

daemon_start() {
  local home=$2 namespace
  namespace=$(daemon_id "$1")
  : >"$home/dockerd.log"
  (
    # It finds its containerd and runc in PATH.
    if [[ $1 == 28* ]]; then PATH=$sid_root/usr/sbin:$sid_root/usr/bin:$PATH; fi
    start_detached "$home/dockerd.log" dockerd --config-file "$3" \
      --containerd-namespace "$namespace" --containerd-plugins-namespace "$namespace-plugins"
    echo $! >"$home/started.pid"
  )
}

# A client for this engine, whatever DOCKER_HOST says. It may come without the BuildKit plugin.
engine_docker() { client_of docker "$@"; }
client_of() {
  local name=$1
  shift
  DOCKER_HOST=unix://$(daemon_run "$name")/docker.sock DOCKER_BUILDKIT=0 "$docker" "$@"
}

daemon_version() { client_of "$1" version --format '{{.Server.Version}}'; }
daemon_answers() { [[ -S $(daemon_run "$1")/docker.sock ]] && client_of "$1" version >/dev/null 2>&1; }
daemon_settled() { daemon_answers "$1" || is_gone "$(daemon_home "$1")/started.pid" "$(daemon_home "$1")/daemon.json"; }

daemon_down() {
  local name=$1 home run containers
  home=$(daemon_home "$name")
  run=$(daemon_run "$name")
  [[ -d $home && -d $run ]] || return 0
  if daemon_answers "$name"; then
    mapfile -t containers < <(client_of "$name" ps -aq)
    ((${#containers[@]} == 0)) || client_of "$name" rm -fv "${containers[@]}" >/dev/null || true
    client_of "$name" network prune -f >/dev/null || true # their bridges would stay
  fi
  stop_ours "$home/dockerd.pid" "$home/daemon.json" 30
  stop_ours "$home/started.pid" "$home/daemon.json" 1
  # What a dockerd that was killed leaves behind: containers, their shims, containerd, mounts.
  kill_containers "$(daemon_id "$name")"
  kill_shims "$run/exec/containerd"
  stop_ours "$run/exec/containerd/containerd.pid" "$run/exec" 10
  unmount_below "$home/data"
  unmount_below "$run/exec"
  rm -rf "$run/exec" "$run/docker.sock"
}

# The folder itself is a mount too: dockerd binds it to itself.
unmount_below() {
  local mount
  while read -r _ mount _; do
    mount=$(printf '%b' "$mount") # a blank is written as \040
    if [[ $mount/ == "$1"/* ]]; then umount -l "$mount" || true; fi
  done < <(tac /proc/self/mounts)
}

# Every process of a container is in its engine's cgroup, and nothing else is.
kill_containers() {
  local list pid
  for list in /sys/fs/cgroup/"$1" /sys/fs/cgroup/*/"$1"; do
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
