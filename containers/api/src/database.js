// The connection to the database: a pool, so that a database that starts later, or comes back after
// a restart, is found again without a restart of the api.

import { readFileSync } from "node:fs";
import mariadb from "mariadb";

export function settings(env) {
  return {
    host: env.DATABASE_HOST ?? "db",
    port: Number(env.DATABASE_PORT ?? 3306),
    database: env.DATABASE_NAME ?? "datatube",
    user: env.DATABASE_USER ?? "datatube",
    // A file (a mounted secret) rather than a variable: variables show in `docker inspect`.
    password: env.DATABASE_PASSWORD_FILE
      ? readFileSync(env.DATABASE_PASSWORD_FILE, "utf8").trim()
      : env.DATABASE_PASSWORD,
  };
}

export function openDatabase(env) {
  return mariadb.createPool({
    ...settings(env),
    connectionLimit: 5,
    acquireTimeout: 3000,
    connectTimeout: 2000,
    // Sums of unsigned columns are decimals; as numbers they are what JSON readers expect.
    decimalAsNumber: true,
    bigIntAsNumber: true,
    checkNumberRange: true,
  });
}
