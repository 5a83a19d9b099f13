// Serves build/playground (or the folder that is named) on this machine, compressed as a web host does it.
//
//   node serve.mjs [PORT] [FOLDER]

import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { createGzip } from "node:zlib";

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".zip": "application/zip",
};

export function serve(port = 0, folder = join(dirname(fileURLToPath(import.meta.url)), "..", "build", "playground")) {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
    const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
    let found;
    try {
      found = statSync(file);
    } catch {
      response.writeHead(404).end();
      return;
    }
    if (found.isDirectory()) {
      response.writeHead(301, { location: `${path}/` }).end();
      return;
    }
    const headers = { "content-type": TYPES[extname(file)] ?? "application/octet-stream", "cache-control": "max-age=60" };
    const zipped = ![".zip", ".bin"].includes(extname(file)) && /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
    response.writeHead(200, zipped ? { ...headers, "content-encoding": "gzip" } : headers);
    const stream = createReadStream(file);
    (zipped ? stream.pipe(createGzip({ level: 6 })) : stream).pipe(response);
  });
  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () => resolve({ server, url: `http://127.0.0.1:${server.address().port}/` }));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serve(Number(process.argv[2] ?? 8000), process.argv[3]);
  console.log(`The playground is at ${url} (Control-C ends it).`);
}
