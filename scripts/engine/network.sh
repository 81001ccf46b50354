# shellcheck shell=bash
# The engines' addresses: 10.N.0.0/16, all of it this checkout's, behind bridges of its own.
#
# dockerd runs with `iptables: false`: at its start it would flush the chains of the machine's own engine.
# What it would have set up is done here, marked with our name or our addresses: builds, on an engine's bridge
# (10.N.0.0/24 and the next ones), reach the outside; networks that a stack makes (10.N.128.0/17 and the other
# pools) reach neither the outside nor one another. The latter is a routing rule, as the firewall cannot tell
# what is routed from what is bridged.

id=dtb$(printf '%s' "$root" | sha256sum | cut -c1-8)

# Of each engine: the third byte of its bridge's addresses, and the pool of the networks that a stack makes.
declare -A subnets=([docker]=0 [28]=1 [28-containerd]=2 [podman]=3 [28-bench]=4)
declare -A pools=([docker]=128.0/17 [28]=16.0/20 [28-containerd]=32.0/20 [podman]=48.0/20 [28-bench]=64.0/20)
network_pool() { printf '%s' "$block.${pools[$1]}"; }
network_subnet() { printf '%s' "$block.${subnets[$1]}.0/24"; }

bridge_address() { ip -4 -o addr show dev "$id" 2>/dev/null | grep -oP 'inet \K[0-9.]+'; }

network_up() {
  local n address pool
  if ! address=$(bridge_address); then
    exec 9>"$cache/lock" # two checkouts must not choose the same addresses
    flock 9
    n=$(free_block)
    address=10.$n.0.1
    bridge_up "$id" "$address"
    exec 9>&-
  fi
  block=${address%.0.1}
  rule -t nat -A POSTROUTING -s "$block.0.0/16" ! -d "$block.0.0/16" -j MASQUERADE
  rule -I FORWARD -s "$block.0.0/16" -j ACCEPT
  rule -I FORWARD -d "$block.0.0/16" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
  isolation_down
  for pool in "${pools[@]}"; do
    # The host itself may talk to its containers: it publishes their ports.
    ip rule add priority 1000 from "$block.$pool" iif lo lookup main
    ip rule add priority 1001 from "$block.$pool" prohibit
  done
}

# bridge_up DEVICE ADDRESS
bridge_up() {
  ip link show dev "$1" >/dev/null 2>&1 || ip link add dev "$1" type bridge
  ip -4 -o addr show dev "$1" | grep -qF " $2/" || ip addr add "$2/24" dev "$1"
  ip link set dev "$1" up
}

isolation_down() {
  local pool
  for pool in "${pools[@]}"; do
    while ip rule del from "$block.$pool" 2>/dev/null; do :; done
  done
}

free_block() {
  local n used
  used=$(ip -4 route show; ip -4 -o addr show)
  for n in $(seq 200 249); do
    [[ $used == *10.$n.* ]] || { echo "$n"; return; }
  done
  fail "none of 10.200.0.0/16 to 10.249.0.0/16 is free; run ./dev engine down in other checkouts"
}

# rule [-t TABLE] -A|-I CHAIN ...: adds a rule once, marked with our name.
rule() {
  local check=("$@") i
  for i in "${!check[@]}"; do
    [[ ${check[i]} != -[AI] ]] || check[i]=-C
  done
  iptables -w "${check[@]}" -m comment --comment "$id" 2>/dev/null \
    || iptables -w "$@" -m comment --comment "$id"
}

network_down() {
  local chain table line device
  for chain in filter/FORWARD nat/POSTROUTING; do
    table=${chain%/*}
    iptables -w -t "$table" -S "${chain#*/}" 2>/dev/null | grep -F -- "--comment $id " | while read -r line; do
      # shellcheck disable=SC2086  # a rule of our own, words without blanks
      iptables -w -t "$table" -D ${line#-A } || true
    done || true
  done
  if block=$(bridge_address); then
    block=${block%.0.1}
    isolation_down
    # The other engines' bridges, and those of compose networks, which outlive a dockerd that was killed.
    for device in $(ip -4 -o addr show | awk -v own="$block." 'index($4, own) == 1 { print $2 }'); do
      ip link delete dev "$device"
    done
  fi
  ip link delete dev "$id" 2>/dev/null || true
}
