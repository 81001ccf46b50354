#!/usr/bin/env bash
# ./dev bench plan [ARGS]: what deciding costs, as whole processes, on generated monorepos. ARGS go to
# benches/plan/main.rs; an unknown one makes it print them.
#
# The other tools are installed below target/bench, at the versions that are named here. Where the npm registry cannot
# be reached, --no-peers goes on without them. DTBUILD_BIN names a binary that is built already.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$root"

peers=(turbo@2.11.11 nx@24.0.6 @moonrepo/cli@2.5.5)
bench=$root/target/bench

install_peers() {
  [[ -f $bench/peers/installed && $(cat "$bench/peers/installed") == "${peers[*]}" ]] && return
  command -v npm >/dev/null || fail "npm is needed for turbo, nx and moon; install Node.js, or add --no-peers"
  mkdir -p "$bench/peers"
  printf '{"name":"peers","private":true}\n' >"$bench/peers/package.json"
  npm install --prefix "$bench/peers" --no-audit --no-fund --loglevel=error "${peers[@]}" ||
    fail "turbo, nx and moon cannot be installed; add --no-peers to measure without them"
  printf '%s' "${peers[*]}" >"$bench/peers/installed"
}

mkdir -p "$bench"
if [[ " $* " == *" --no-peers "* ]]; then
  say "bench: without turbo, nx and moon"
else
  install_peers
fi
binary=${DTBUILD_BIN:-}
if [[ -z $binary ]]; then
  cargo build --release --locked
  binary=${CARGO_TARGET_DIR:-$root/target}/release/dtbuild
fi
# nx leaves a daemon for each monorepo.
end() {
  local monorepo
  for monorepo in "$bench"/monorepo-*; do
    if [[ -e $monorepo/node_modules ]]; then
      (cd "$monorepo"; "$bench/peers/node_modules/.bin/nx" daemon --stop >/dev/null || true)
    fi
  done
}
trap end EXIT

cargo run --quiet --locked --example bench-plan -- --dtbuild "$binary" --folder "$bench" "$@"
