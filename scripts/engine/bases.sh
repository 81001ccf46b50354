# shellcheck shell=bash
# The mirror and what is in it: stand-ins for the official base images, made from Debian's packages,
# under the official names and tags, so that a Dockerfile resolves without Docker Hub.
#
# Making them takes minutes, so the mirror's storage is kept in the cache, under a hash of all that it is
# made from; every checkout serves the same folder, read only.

suite=trixie

# folder=tags: a Dockerfile of scripts/stand-ins, and the official tags that it stands in for.
stand_ins=(
  "busybox=1.36 1.37"
  "nginx=1.26"
  "node=22-trixie-slim"
  "mariadb=11.8"
)

bases_up() {
  local made
  made=$cache/bases-$(bases_key)
  exec 9>"$cache/lock"
  flock --nonblock 9 || {
    say "engine: waiting for another checkout, which makes the base images"
    flock 9
  }
  if [[ ! -d $made ]]; then
    say "engine: making the base images (once per machine: a few minutes; log: target/engine/bases.log)"
    bases_make "$made" || {
      tail -n 20 "$engine/bases.log" >&2
      fail "the base images cannot be made; the whole log: $engine/bases.log"
    }
  fi
  touch "$made"
  # Those of other versions of these scripts, unused for a month.
  find "$cache" -maxdepth 1 -name 'bases-*' -mtime +30 -exec rm -rf {} +
  exec 9>&-
  registry_up mirror "$made" readonly
}

# The host's certificates are part of the images, so they are part of the key.
bases_key() {
  (
    cd "$root/scripts"
    find stand-ins engine/bases.sh -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    sha256sum </etc/ssl/certs/ca-certificates.crt
    uname -m
  ) | sha256sum | cut -c1-16
}

# Made in a folder beside it and moved: what has the name is whole.
bases_make() {
  local making=$cache/making-$$ entry jobs=() job
  # The lock is ours: what an earlier run left half made is nobody's.
  find "$cache" -maxdepth 1 -name 'making-*' -exec rm -rf {} +
  registry_down mirror
  registry_up mirror "$making" writable
  daemon_up
  : >"$engine/bases.log"
  debian_base >>"$engine/bases.log" 2>&1 || return 1
  for entry in "${stand_ins[@]}"; do
    stand_in "${entry%%=*}" "${entry#*=}" >>"$engine/bases.log" 2>&1 9>&- &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do
    wait "$job" || return 1
  done
  forget_made
  registry_down mirror
  mv "$making" "$made"
}

debian_base() {
  # No documentation, and this machine's certificates, so that npm and pip work in a RUN.
  mmdebstrap --quiet --variant=minbase --include=ca-certificates \
    --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --customize-hook='copy-in /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs' \
    "$suite" - \
    | engine_docker import --change 'CMD ["bash"]' - "debian:$suite-slim"
  publish debian "$suite-slim"
}

# From here on this engine pulls the bases like any other does.
forget_made() {
  local made_here
  mapfile -t made_here < <(engine_docker images --quiet --all | sort -u)
  engine_docker rmi --force "${made_here[@]}" >/dev/null 2>&1 || true
}

# stand_in NAME TAGS
stand_in() {
  local tag
  for tag in $2; do
    engine_docker build --build-arg "VERSION=$tag" --tag "$1:$tag" "$root/scripts/stand-ins/$1"
    publish "$1" "$tag"
    say "engine: made $1:$tag"
  done
}

publish() {
  local reference
  reference=127.0.0.1:$(cat "$engine/mirror.port")/library/$1:$2
  engine_docker tag "$1:$2" "$reference"
  engine_docker push --quiet "$reference"
  engine_docker rmi "$reference" >/dev/null
}
