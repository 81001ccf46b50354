// What is answered at which path. `database` is anything with `query(sql, values)`.

const statistics = `
  select r.code as region, c.slug as category, s.channels, s.subscribers, s.videos, s.views
    from statistics s
    join regions r on r.code = s.region_code
    join categories c on c.id = s.category_id`;

const routes = [
  {
    path: /^\/health$/,
    async reply(database) {
      await database.query("select 1");
      return { status: "ok" };
    },
  },
  {
    path: /^\/regions$/,
    reply: (database) => database.query("select code, name from regions order by name"),
  },
  {
    path: /^\/categories$/,
    reply: (database) => database.query("select slug, name from categories order by name"),
  },
  {
    path: /^\/statistics$/,
    reply: (database) => database.query(`${statistics} order by s.views desc`),
  },
  {
    path: /^\/regions\/([A-Z]{2})\/statistics$/,
    async reply(database, [region]) {
      const rows = await database.query(`${statistics} where r.code = ? order by s.views desc`, [region]);
      return rows.length > 0 ? rows : undefined;
    },
  },
];

export async function answer(database, method, url) {
  if (method !== "GET" && method !== "HEAD") return { status: 405, body: { error: "only GET is answered" } };
  const path = url.split("?", 1)[0];
  for (const route of routes) {
    const match = route.path.exec(path);
    if (!match) continue;
    try {
      const body = await route.reply(database, match.slice(1));
      if (body !== undefined) return { status: 200, body };
    } catch (error) {
      // The reader learns that it failed, the log learns why.
      console.error(`${method} ${path}: ${error.message}`);
      return { status: 503, body: { error: "the database does not answer" } };
    }
  }
  return { status: 404, body: { error: `nothing at ${path}` } };
}
