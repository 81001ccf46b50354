#!/bin/bash
# What the official image's entrypoint does with an empty data folder, in its smallest form: system
# tables, a root password, a database with its user, then /docker-entrypoint-initdb.d in order.
set -euo pipefail

# Each variable may come as the path of a file instead (NAME_FILE), so that no environment holds a secret.
value_of() {
  local file="${1}_FILE"
  if [ -n "${!file:-}" ]; then cat "${!file}"; else printf '%s' "${!1:-}"; fi
}

quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/[\\\\']/\\\\&/g")"; }

random() { head -c 24 /dev/urandom | od -An -vtx1 | tr -d ' \n'; }

client() { mariadb --no-defaults --protocol=socket -u root "$@"; }

run_scripts() {
  local script
  for script in /docker-entrypoint-initdb.d/*; do
    # shellcheck source=/dev/null
    case $script in
      *.sql) echo "entrypoint: $script"; client --default-character-set=utf8mb4 "$1" < "$script" ;;
      *.sh) echo "entrypoint: $script"; . "$script" ;;
    esac
  done
}

first_start() {
  local database user password root_password health
  database=$(value_of MARIADB_DATABASE)
  user=$(value_of MARIADB_USER)
  password=$(value_of MARIADB_PASSWORD)
  root_password=$(value_of MARIADB_ROOT_PASSWORD)
  health=$(random)
  if [ -z "$root_password" ]; then
    [ -n "${MARIADB_RANDOM_ROOT_PASSWORD:-}" ] || {
      echo "error: set MARIADB_ROOT_PASSWORD or MARIADB_RANDOM_ROOT_PASSWORD" >&2
      exit 1
    }
    root_password=$(random)
  fi

  mariadb-install-db --user=mysql --skip-test-db --auth-root-authentication-method=normal > /dev/null
  mariadbd --skip-networking & local server=$!
  for _ in $(seq 300); do
    client -e 'select 1' > /dev/null 2>&1 && break
    kill -0 "$server" || exit 1
    sleep 0.1
  done
  {
    [ -z "$database" ] || echo "create database if not exists \`$database\` character set utf8mb4;"
    if [ -n "$user" ]; then
      echo "create user $(quoted "$user")@'%' identified by $(quoted "$password");"
      [ -z "$database" ] || echo "grant all on \`$database\`.* to $(quoted "$user")@'%';"
    fi
    echo "create user healthcheck@127.0.0.1 identified by '$health';"
  } | client
  printf 'healthcheck %s\n' "$health" > /var/lib/mysql/.healthcheck
  chmod 0600 /var/lib/mysql/.healthcheck
  run_scripts "$database"
  echo "set password for root@localhost = password($(quoted "$root_password"));" | client
  kill "$server" && wait "$server"
}

if [ "${1:-}" = mariadbd ] && [ "$(id -u)" = 0 ]; then
  chown mysql:mysql /var/lib/mysql /run/mysqld
  exec setpriv --reuid=mysql --regid=mysql --init-groups "$0" "$@"
fi
# .healthcheck is the last thing written before the scripts; a first start that was killed begins anew.
if [ "${1:-}" = mariadbd ] && [ ! -e /var/lib/mysql/.initialised ]; then
  find /var/lib/mysql -mindepth 1 -delete
  first_start
  touch /var/lib/mysql/.initialised
fi
exec "$@"
