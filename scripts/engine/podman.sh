# shellcheck shell=bash
# Podman's Docker API: Debian's podman as a service, with storage, configuration and addresses of its own.
#
# It runs in its own process and mount namespaces: what it starts and mounts ends with it.

podman_up() {
  local home=$engine/podman run
  run=$(runtime_dir)/podman
  mkdir -p "$home/cni" "$run"
  podman_config "$home" "$run"
  if podman_is_ours && [[ -f $home/running ]] && cmp -s <(podman_fingerprint) "$home/running" && podman_answers; then
    say "engine: podman $(podman_version) is up at unix://$run/docker.sock"
    return
  fi
  podman_down
  mkdir -p "$run"
  bridge_up "$(daemon_id podman)" "$block.${subnets[podman]}.1"
  podman_fingerprint >"$home/running"
  : >"$home/podman.log"
  CONTAINERS_CONF=$home/containers.conf CONTAINERS_STORAGE_CONF=$home/storage.conf \
    CONTAINERS_REGISTRIES_CONF=$home/registries.conf REGISTRY_AUTH_FILE=$home/auth.json \
    start_detached "$home/podman.log" unshare --mount --pid --fork --kill-child --mount-proc \
    podman --tmpdir "$run/tmp" --log-level warn system service --time 0 "unix://$run/docker.sock"
  echo $! >"$home/podman.pid"
  wait_until 60 podman_settled || true
  podman_answers || {
    tail -n 10 "$home/podman.log" >&2
    fail "podman does not start; the whole log: $home/podman.log"
  }
  say "engine: podman $(podman_version) started at unix://$run/docker.sock"
}

podman_config() {
  local home=$1 run=$2
  cat >"$home/containers.conf" <<TOML
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "cni"
network_config_dir = "$home/cni"
default_network = "podman"
TOML
  cat >"$home/storage.conf" <<TOML
[storage]
driver = "overlay"
graphroot = "$home/data"
runroot = "$run/storage"
TOML
  cat >"$home/registries.conf" <<TOML
unqualified-search-registries = ["docker.io"]
short-name-mode = "disabled"
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "127.0.0.1:$(cat "$engine/mirror.port")"
insecure = true
[[registry]]
location = "127.0.0.1:$(cat "$engine/team.port")"
insecure = true
TOML
  printf '{}\n' >"$home/auth.json"
  # No masquerading and no firewall plugin: network.sh has done both for all engines.
  cat >"$home/cni/podman.conflist" <<JSON
{
  "cniVersion": "0.4.0",
  "name": "podman",
  "plugins": [
    {
      "type": "bridge", "bridge": "$(daemon_id podman)", "isGateway": true, "ipMasq": false,
      "ipam": {
        "type": "host-local", "dataDir": "$home/addresses", "routes": [{ "dst": "0.0.0.0/0" }],
        "ranges": [[{ "subnet": "$(network_subnet podman)", "gateway": "$block.${subnets[podman]}.1" }]]
      }
    }
  ]
}
JSON
}

podman_fingerprint() { cat "$engine/podman"/*.conf "$engine/podman/cni/podman.conflist"; }
podman_socket() { printf '%s' "$(runtime_dir)/podman/docker.sock"; }
podman_is_ours() { is_ours "$engine/podman/podman.pid" "unix://$(podman_socket)"; }
podman_ask() { curl -sf --max-time 5 --unix-socket "$(podman_socket)" "http://podman$1"; }
podman_answers() { podman_ask /_ping >/dev/null; }
podman_settled() { podman_answers || ! podman_is_ours; }
podman_version() { podman_ask /version | grep -oP '"Version":"\K[^"]+' | head -n 1; }

podman_down() {
  local home=$engine/podman child
  [[ -d $home ]] || return 0
  if podman_is_ours; then
    # The service is the first process of its namespace, the child of the one that was started.
    read -r child _ <"/proc/$(cat "$home/podman.pid")/task/$(cat "$home/podman.pid")/children" || true
    [[ -z ${child:-} ]] || kill "$child" 2>/dev/null || true
    wait_until 10 is_gone "$home/podman.pid" "unix://$(podman_socket)" || true
  fi
  stop_ours "$home/podman.pid" "unix://$(podman_socket)" 1
  rm -rf "$(runtime_dir)/podman" "$home/running" "$home/addresses"
}
