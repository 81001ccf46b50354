// build.mjs FROM TO: copies the site; each file of FROM/assets gets a name with its content's hash, and
// every page that mentions it gets the new name. The same sources give the same bytes.

import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";

const [from, to] = process.argv.slice(2);
if (!from || !to) throw new Error("usage: node build.mjs FROM TO");

rmSync(to, { recursive: true, force: true });
mkdirSync(join(to, "assets"), { recursive: true });

const names = new Map();
for (const name of readdirSync(join(from, "assets")).sort()) {
  const content = readFileSync(join(from, "assets", name));
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 10);
  const extension = extname(name);
  const hashed = `${name.slice(0, -extension.length)}.${hash}${extension}`;
  names.set(`assets/${name}`, `assets/${hashed}`);
  writeFileSync(join(to, "assets", hashed), content);
}

for (const name of readdirSync(from).sort()) {
  if (name === "assets") continue;
  if (extname(name) !== ".html") {
    cpSync(join(from, name), join(to, name), { recursive: true });
    continue;
  }
  let page = readFileSync(join(from, name), "utf8");
  for (const [plain, hashed] of names) page = page.replaceAll(plain, hashed);
  writeFileSync(join(to, name), page);
}

console.log(`${names.size} assets: ${[...names.values()].join(", ")}`);
