import assert from "node:assert/strict";
import { test } from "node:test";
import { answer } from "../src/routes.js";

function fake(rows) {
  const asked = [];
  return { asked, query: async (sql, values) => (asked.push([sql, values]), rows) };
}

test("regions_come_from_the_database", async () => {
  const rows = [{ code: "JP", name: "Japan" }];
  assert.deepEqual(await answer(fake(rows), "GET", "/regions"), { status: 200, body: rows });
});

test("a_region_is_a_parameter_and_never_part_of_the_sql", async () => {
  const database = fake([{ region: "JP" }]);
  await answer(database, "GET", "/regions/JP/statistics?x=1");
  assert.deepEqual(database.asked[0][1], ["JP"]);
  assert.doesNotMatch(database.asked[0][0], /JP/);
});

test("an_unknown_region_or_path_is_not_found", async () => {
  assert.equal((await answer(fake([]), "GET", "/regions/XX/statistics")).status, 404);
  assert.equal((await answer(fake([]), "GET", "/nothing")).status, 404);
});

test("a_database_that_does_not_answer_is_503", async (context) => {
  context.mock.method(console, "error", () => {});
  const broken = { query: async () => { throw new Error("connection refused"); } };
  assert.equal((await answer(broken, "GET", "/health")).status, 503);
});

test("only_reading_is_allowed", async () => {
  assert.equal((await answer(fake([]), "POST", "/regions")).status, 405);
});
