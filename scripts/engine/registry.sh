# shellcheck shell=bash
# Registries: Debian's docker-registry on a free loopback port, which it keeps while the checkout lives.

# registry_up NAME STORAGE writable|readonly
registry_up() {
  local name=$1 storage=$2 config=$engine/$1.yml
  mkdir -p "$storage"
  if is_ours "$engine/$name.pid" "$config" && [[ $(cat "$engine/$name.storage" 2>/dev/null) == "$storage" ]]; then
    say "engine: registry $name is up at 127.0.0.1:$(cat "$engine/$name.port")"
    return
  fi
  registry_down "$name"
  # References name the port: the old one is the first choice.
  registry_start "$@" "$(cat "$engine/$name.port" 2>/dev/null || echo 0)" \
    || registry_start "$@" 0 \
    || fail "registry $name does not start: $(tail -n 3 "$engine/$name.log")"
  printf '%s' "$storage" >"$engine/$name.storage"
  say "engine: registry $name started at 127.0.0.1:$(cat "$engine/$name.port")"
}

registry_start() {
  local name=$1 storage=$2 access=$3 port=$4 config=$engine/$1.yml
  cat >"$config" <<YML
version: 0.1
log: { level: info, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: "$storage" }
  delete: { enabled: true }
  maintenance:
    uploadpurging: { enabled: false }
    readonly: { enabled: $([[ $access == readonly ]] && echo true || echo false) }
http: { addr: "127.0.0.1:$port" }
YML
  : >"$engine/$name.log"
  OTEL_TRACES_EXPORTER=none start_detached "$engine/$name.log" docker-registry serve "$config"
  echo $! >"$engine/$name.pid"
  wait_until 15 registry_settled "$name" && registry_port "$name" >"$engine/$name.port"
}

# The port that it really listens on: `:0` lets the kernel choose, so that no two can want the same.
registry_port() { grep -oP 'listening on 127\.0\.0\.1:\K[0-9]+' "$engine/$1.log"; }

registry_settled() {
  registry_port "$1" >/dev/null || is_gone "$engine/$1.pid" "$engine/$1.yml"
}

registry_down() { stop_ours "$engine/$1.pid" "$engine/$1.yml" 10; }
