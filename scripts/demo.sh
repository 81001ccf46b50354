#!/usr/bin/env bash
# ./dev demo: dtbuild's whole job on the reference stack, with a real engine, registry and deployment, in a
# throw-away repository under target/demo. Every claim is checked; the first that fails ends the demo.
#
# DTBUILD_BIN names a binary that is built already. Without it the development build is made, which is quick to build and
# shared with ./dev test, while the engine is set up; --release makes and shows the release build.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/demo/stack.sh
source "$root/scripts/demo/stack.sh"
cd "$root"

demo=$root/target/demo
repo=$demo/repo
output=$demo/output
run_id=$(date +%s)-$$
facts=()
trap stack_remove EXIT

step() { printf '\n== %s\n' "$*"; }

# fact TEXT COMMAND...: TEXT is claimed, COMMAND proves it.
fact() {
  local text=$1
  shift
  if "$@"; then
    printf '✓ %s\n' "$text"
    facts+=("$text")
  else
    printf '✗ %s\n' "$text"
    fail "the demo stops at the first claim that does not hold (checked with: $*)"
  fi
}

# dtbuild ARGS: shown, and kept in $output.
dtbuild() {
  printf '$ dtbuild %s\n' "$*"
  (cd "$repo" && "$binary" "$@") 2>&1 | tee "$output"
}

commit() {
  git -C "$repo" add -A
  git -C "$repo" -c user.name=Demo -c user.email=demo@example.com commit -qm "$1"
}

# The images that a dry run would build, one word each.
planned_builds() {
  (cd "$repo" && "$binary" --env staging --dry-run --json 2>/dev/null) | python3 -c '
import json, sys
print(*(i["name"] for i in json.load(sys.stdin)["images"] if i["decision"] == "build"))'
}

same() { [[ -n $1 && $1 == "$2" ]]; }
differ() { [[ -n $1 && -n $2 && $1 != "$2" ]]; }
never_said() { ! said "$1"; }
said() { grep -qF -- "$1" "$output"; }

step "a binary, an engine, a repository"
profile=debug
case ${1:-} in
  '') ;;
  --release) profile=release ;;
  *) fail "usage: ./dev demo [--release]" ;;
esac
# An engine waits for packages and images, a build for the processor.
mkdir -p target
bash scripts/engine.sh up >target/demo-engine.log 2>&1 &
engine_up=$!
binary=${DTBUILD_BIN:-}
if [[ -z $binary ]]; then
  cargo build --bin dtbuild --locked --profile "${profile/debug/dev}" || fail "dtbuild cannot be built"
  binary=${CARGO_TARGET_DIR:-$root/target}/$profile/dtbuild
fi
[[ -x $binary ]] || fail "\`$binary\` is not a program; unset DTBUILD_BIN to have it built"
wait "$engine_up" || { cat target/demo-engine.log >&2; fail "the engine cannot be set up"; }
# shellcheck source=/dev/null
source "$engine/env"
stack_remove # what an interrupted demo left
export DTBUILD_REGISTRY=$DTBUILD_TEST_REGISTRY/demo-$run_id/datatube # a registry path without a past
rm -rf "$demo"
mkdir -p "$repo"
git ls-files -z -- build.toml build.lock containers ansible | xargs -0 cp --parents -t "$repo"
printf '/.dtbuild/\n' >"$repo/.gitignore"
git -C "$repo" init -q -b staging
commit "datatube: first version"

step "1. the first run builds, pushes and deploys everything"
stack_environment staging
dtbuild --env staging
for image in client api db; do
  fact "$image: pushed by digest, and running" same "$(running "$image")" "$(pushed "$image" "$(running "$image")")"
done
first_client=$(running client) first_api=$(running api) first_db=$(running db)
page=$(answer /)
fact "the page is served by nginx (${#page} bytes)" grep -q '<h1>Datatube</h1>' <<<"$page"
rows=$(answer /api/statistics | grep -o '"region"' | wc -l)
fact "/api/statistics answers through nginx: $rows rows from the database" test "$rows" -ge 20

step "2. one file of the client changes"
changed=containers/client/site/index.html
sed -i 's|What the world watches, by region and category|Watched in the second release|' "$repo/$changed"
commit "client: say it differently"
dtbuild --env staging --dry-run
fact "the preview names the path: $changed" said "$changed"
fact "the preview builds the client alone" same "$(planned_builds)" client
fact "the preview changed nothing" same "$(running client)" "$first_client"
dtbuild --env staging
fact "the client is new: ${first_client##*@} -> $(running client | sed 's/.*@//')" differ "$(running client)" "$first_client"
fact "the api is the same to the digest: ${first_api##*@}" same "$(running api)" "$first_api"
fact "the db is the same to the digest: ${first_db##*@}" same "$(running db)" "$first_db"
fact "the new page is served" grep -q 'Watched in the second release' <<<"$(answer /)"

step "3. a third run has nothing to do"
containers=$(stack_containers)
begin=${EPOCHREALTIME/./}
dtbuild --env staging
took=$(((${EPOCHREALTIME/./} - begin) / 1000))
fact "it says that there is nothing to do" said "nothing to do"
fact "no container was touched" same "$(stack_containers)" "$containers"
say "it took $took ms with \`$binary\`; docs/performance.md has the release build's figures"

step "4. production runs what staging runs"
staging_client=$(running client) staging_api=$(running api)
external_database "$first_db"
git -C "$repo" checkout -q -b master
stack_environment production
dtbuild --env production
fact "nothing was built" never_said "build started"
fact "the client is staging's, to the digest" same "$(running client)" "$staging_client"
fact "the api is staging's, to the digest" same "$(running api)" "$staging_api"
fact "there is no db container: its database is an external one" test -z "$(running db)"
rows=$(answer /api/statistics | grep -o '"region"' | wc -l)
fact "/api/statistics answers: $rows rows from the external database" test "$rows" -ge 20

printf '\nAll %s facts hold:\n' "${#facts[@]}"
printf '  ✓ %s\n' "${facts[@]}"
printf '\nThe engine stays up for the next time; ./dev engine down ends it.\n'
