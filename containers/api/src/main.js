// Starts the server, and ends it when the container is asked to stop.

import { createServer } from "node:http";
import { openDatabase } from "./database.js";
import { answer } from "./routes.js";

const port = Number(process.env.PORT ?? 3000);
const database = openDatabase(process.env);

const server = createServer(async (request, response) => {
  const { status, body } = await answer(database, request.method, request.url);
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  });
  response.end(request.method === "HEAD" ? undefined : text);
});

server.listen(port, () => console.log(`datatube-api listens on port ${port}`));

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => server.close(() => database.end()));
}
