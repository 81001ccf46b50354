# shellcheck shell=bash
# The demo's view of the deployed stack: it asks the engine and the page, never dtbuild.

# stack_environment NAME: where the role `sites` puts this environment during the demo.
stack_environment() {
  export DATATUBE_COMPOSE_PROJECT=datatube-demo-$1
  export DATATUBE_STATE=$demo/state-$1
  DATATUBE_PORT=$(free_port)
  export DATATUBE_PORT
}

free_port() {
  local port
  for port in $(seq 18080 18180); do
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  fail "no free port between 18080 and 18180"
}

answer() { curl --fail --silent --show-error --noproxy '*' --max-time 10 "http://127.0.0.1:$DATATUBE_PORT$1"; }

stack_containers() {
  "$docker" ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$DATATUBE_COMPOSE_PROJECT" | sort
}

# running SERVICE: the reference that the service's container was made from.
running() {
  "$docker" ps --quiet --filter "label=com.docker.compose.project=$DATATUBE_COMPOSE_PROJECT" \
    --filter "label=com.docker.compose.service=$1" \
    | xargs -r "$docker" inspect --format '{{.Config.Image}}'
}

# pushed IMAGE REFERENCE: the same reference, when the team's registry has that digest.
pushed() {
  local repository=${DTBUILD_REGISTRY#*/}/$1 digest=${2#*@}
  curl --fail --silent --noproxy '*' --head --output /dev/null \
    --header 'accept: application/vnd.docker.distribution.manifest.v2+json' \
    --header 'accept: application/vnd.oci.image.manifest.v1+json' \
    --header 'accept: application/vnd.oci.image.index.v1+json' \
    "http://$DTBUILD_TEST_REGISTRY/v2/$repository/manifests/$digest" \
    && echo "$DTBUILD_REGISTRY/$1@$digest"
}

# external_database REFERENCE: production's database, outside of its stack, at an address of the host that
# only containers can reach.
external_database() {
  local gateway
  gateway=$("$docker" network inspect bridge --format '{{(index .IPAM.Config 0).Gateway}}')
  MARIADB_PASSWORD=$(head -c 18 /dev/urandom | base64 | tr -d '+/=')
  export MARIADB_PASSWORD
  "$docker" run --detach --name datatube-demo-external --publish "$gateway::3306" \
    --env MARIADB_DATABASE=datatube --env MARIADB_USER=datatube --env MARIADB_PASSWORD \
    --env MARIADB_RANDOM_ROOT_PASSWORD=1 "$1" >/dev/null
  export DATATUBE_DATABASE_HOST=$gateway DATATUBE_DATABASE_PASSWORD=$MARIADB_PASSWORD
  DATATUBE_DATABASE_PORT=$("$docker" port datatube-demo-external 3306/tcp | sed 's/.*://')
  export DATATUBE_DATABASE_PORT
}

# Everything that the demo started, and what an interrupted one left.
stack_remove() {
  local project
  [[ -n ${DOCKER_HOST:-} && -n ${DTBUILD_TEST_REGISTRY:-} ]] || return 0
  "$docker" rm --force --volumes datatube-demo-external >/dev/null 2>&1 || true
  for project in datatube-demo-staging datatube-demo-production; do
    local label=label=com.docker.compose.project=$project
    "$docker" ps --all --quiet --filter "$label" | xargs -r "$docker" rm --force --volumes >/dev/null || true
    "$docker" network ls --quiet --filter "$label" | xargs -r "$docker" network rm >/dev/null || true
    "$docker" volume ls --quiet --filter "$label" | xargs -r "$docker" volume rm >/dev/null || true
  done
}
