#!/usr/bin/env bash
# ./dev bench engine [ARGS]: what builds cost, against buildx and compose. ARGS go to benches/engine/main.rs; an
# unknown one makes it print them.
#
# It needs what `./dev engine up` needs: root, Debian, and Debian's archive once. The engine is its own, and gone
# afterwards with all that it held. DTBUILD_BIN names a binary that is built already.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$root"

bench=$root/target/bench/engine

end() {
  bash scripts/engine.sh down 28-bench
  rm -rf "$engine/28-bench" "${bench:?}"/{images-*,copied,read,huge,home}
}

binary=${DTBUILD_BIN:-}
if [[ -z $binary ]]; then
  cargo build --release --locked
  binary=${CARGO_TARGET_DIR:-$root/target}/release/dtbuild
fi
mkdir -p "$bench"
trap end EXIT
bash scripts/engine.sh up 28-bench
# shellcheck source=/dev/null  # made by `up`
source "$engine/env"
cargo run --quiet --locked --example bench-engine -- --dtbuild "$binary" --folder "$bench" "$@"
