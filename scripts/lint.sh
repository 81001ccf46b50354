#!/usr/bin/env bash
# ./dev lint: what must hold before a test is worth its time. Everything is checked, then it fails.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

failed=()

# check NAME COMMAND...
check() {
  local name=$1
  shift
  say "lint: $name"
  "$@" || failed+=("$name")
}

# check_if_installed PROGRAM NAME COMMAND...: where the program is missing, that is said, and counts as no failure.
check_if_installed() {
  local program=$1 name=$2
  shift 2
  if command -v "$program" >/dev/null; then
    check "$name" "$@"
  else
    say "lint: $name: NOT CHECKED, $program is not installed"
  fi
}

check "formatting" cargo fmt --all --check
check "clippy" cargo clippy --workspace --all-targets --locked -- -D warnings
check "the order of the rooms" cargo test --quiet --locked --test house
mapfile -t scripts < <(git ls-files -co --exclude-standard dev .ci/run 'scripts/*.sh' | grep -v -e scripts/engine/ -e scripts/demo/)
# Those of the folders engine/ and demo/ are checked where they are sourced (-a).
check_if_installed shellcheck "shell scripts" shellcheck -ax "${scripts[@]}"
check_if_installed ansible-playbook "playbook (staging)" \
  ansible-playbook --syntax-check -i ansible/inventories/staging ansible/site.yml
check_if_installed ansible-playbook "playbook (production)" \
  ansible-playbook --syntax-check -i ansible/inventories/production ansible/site.yml
check_if_installed node "the api's own tests" node --test containers/api/test/*.test.js
# All targets' crates: cargo-deny looks at those that this machine never builds, too.
deny() { cargo fetch --locked --quiet && cargo deny --offline check bans licenses sources; }
check_if_installed cargo-deny "licences (cargo install cargo-deny)" deny

((${#failed[@]} == 0)) || fail "lint failed: $(IFS=,; echo "${failed[*]}")"
say "lint: all that was checked holds"
