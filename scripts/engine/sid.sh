# shellcheck shell=bash
# A newer Docker beside the system's: Debian sid's packages, unpacked below the cache, never installed.
#
# apt fetches them, with lists, sources and state of its own, and checks Debian's signatures; nothing of the
# machine's apt changes. They are fetched once: the folder's name is a hash of what is asked for.

# package=the version that is expected of it; sid moves on, and a newer one is another engine.
sid_packages=(docker.io=28. docker-cli=28. containerd=2. runc=1. tini-static=0. docker-buildx=0. docker-compose=2.)

sid_folder() {
  local key
  key=$(printf '%s\n' "${sid_packages[@]}" "$(uname -m)" | sha256sum | cut -c1-16)
  printf '%s' "$cache/sid-$key"
}

# Where it is unpacked; nothing where it is not.
sid_known() { if [[ -d $(sid_folder) ]]; then sid_folder; fi; }

sid_root=
sid_up() {
  local log=$engine/sid.log
  sid_root=$(sid_folder)
  exec 9>"$cache/lock"
  flock 9
  if [[ ! -d $sid_root ]]; then
    say "engine: fetching Docker from Debian sid (once per machine: 92 MB; log: target/engine/sid.log)"
    # Not `sid_make || ...`: bash would then go on after what fails in it.
    local made=0
    set +e
    (set -e && sid_make "$sid_root") >"$log" 2>&1
    made=$?
    set -e
    ((made == 0)) || {
      grep -v '^Get:' "$log" | tail -n 5 >&2
      fail "engine 28 cannot be had from Debian sid; the whole log: $log
hint: it needs Debian's archive (\`apt-get update\` must work) and its keyring (package debian-archive-keyring);
hint: the other engines need neither: ./dev engine up, ./dev engine up podman"
    }
  fi
  exec 9>&-
}

# Made in a folder beside it and moved: what has the name is whole. A runc that asks for a newer C library than
# the machine's is left out, so that the machine's own is found.
sid_make() (
  set -e
  making=$cache/making-sid-$$
  rm -rf "$cache"/making-sid-*
  mkdir -p "$making"/{state/lists/partial,archives/partial,root}
  sid_sources >"$making/sid.sources"
  options=(
    -o "Dir::State=$making/state" -o Dir::State::status=/dev/null -o "Dir::Cache=$making"
    -o "Dir::Etc::sourcelist=$making/sid.sources" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null
    -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=2 --error-on=any
  )
  apt-get "${options[@]}" update
  cd "$making/archives"
  for entry in "${sid_packages[@]}"; do
    package=${entry%%=*}
    version=$(apt-cache "${options[@]:0:${#options[@]}-1}" show --no-all-versions "$package" | sed -n 's/^Version: //p')
    if [[ -z $version ]]; then
      echo "Debian sid has no $package (scripts/engine/sid.sh)"
      exit 1
    fi
    # Sid moves on: a newer one is worth a try, and a word where its tests fail.
    [[ $version == "${entry#*=}"* ]] || echo "note: $package is $version; the tests were written for ${entry#*=}"
    apt-get "${options[@]:0:${#options[@]}-1}" download "$package"
    printf '%s %s\n' "$package" "$version" >>"$making/root/versions"
  done
  for archive in *.deb; do
    dpkg -x "$archive" "$making/root"
  done
  "$making/root/usr/sbin/runc" --version || rm "$making/root/usr/sbin/runc"
  for program in usr/sbin/dockerd usr/bin/containerd usr/bin/docker; do
    "$making/root/$program" --version
  done
  "$making/root/usr/libexec/docker/cli-plugins/docker-buildx" version
  rm -rf "$making/root/usr/share/doc" "$making/root/usr/share/man"
  mv "$making/root" "$1"
  rm -rf "$making"
)

# The mirror that the machine itself takes Debian's packages from; apt knows it once it has its lists.
debian_mirror() {
  # shellcheck disable=SC2016  # apt expands it
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1
}

sid_sources() {
  local mirror
  mirror=$(debian_mirror)
  if [[ -z $mirror ]]; then
    apt-get update >&2
    mirror=$(debian_mirror)
  fi
  [[ -n $mirror ]] || fail "apt has no source of Debian's own packages; add one to its sources"
  cat <<SOURCES
Types: deb
URIs: $mirror
Suites: sid
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
}

# The plugins are programs of their own, too.
sid_plugin() { printf '%s' "$sid_root/usr/libexec/docker/cli-plugins/$1"; }
