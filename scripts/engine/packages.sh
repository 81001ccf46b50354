# shellcheck shell=bash
# What the engine needs from Debian. Nothing happens where the programs are there already.

# program=package, as the program's name tells what is missing, and the package what brings it.
needed=(
  dockerd=docker.io docker=docker.io docker-registry=docker-registry mmdebstrap=mmdebstrap
  busybox=busybox-static iptables=iptables ip=iproute2 ansible-playbook=ansible-core docker-compose=docker-compose
  curl=curl git=git
)

# install_packages [PROGRAM=PACKAGE...]: those, or all that every engine needs.
install_packages() {
  local entry packages=()
  (($#)) || set -- "${needed[@]}"
  PATH=$PATH:/usr/sbin:/sbin # where Debian keeps dockerd and iptables, also for those whose PATH lacks it
  for entry; do
    command -v "${entry%%=*}" >/dev/null || packages+=("${entry#*=}")
  done
  if ((${#packages[@]})); then
    local wanted="${packages[*]}"
    command -v apt-get >/dev/null || fail "missing: $wanted; this script installs them on Debian only"
    ((EUID == 0)) || fail "missing: $wanted; run as root, or: sudo apt-get install $wanted"
    say "engine: installing from Debian: $wanted"
    mkdir -p "$root/target"
    {
      apt-get update
      # From Debian 13 on, the client is a package of its own.
      if [[ -n $(apt-cache pkgnames docker-cli) ]]; then packages+=(docker-cli); fi
      DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"
    } >"$root/target/apt.log" 2>&1 </dev/null || {
      tail -n 20 "$root/target/apt.log" >&2
      fail "apt-get could not install $wanted; the whole log: $root/target/apt.log"
    }
  fi
}
