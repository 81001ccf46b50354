#!/bin/bash
# healthcheck.sh --connect --innodb_initialized: the server answers over TCP, so the first start is
# over (until then it listens on its socket alone), and its storage engine is there.
set -eu
read -r user password < /var/lib/mysql/.healthcheck
export MYSQL_PWD=$password
[ "$(mariadb --no-defaults -h 127.0.0.1 -u "$user" -sNe \
  "select support in ('YES','DEFAULT') from information_schema.engines where engine='InnoDB'")" = 1 ]
