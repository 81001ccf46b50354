// Exit code 0 when the api and its database answer. The image has no curl.

const port = process.env.PORT ?? 3000;

try {
  const response = await fetch(`http://127.0.0.1:${port}/health`);
  process.exitCode = response.ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
