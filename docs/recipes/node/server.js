const http = require("node:http");

const server = http.createServer((request, response) => response.end(`hello from ${process.pid}\n`));

// What "listen 8000" becomes.
server.listen({ fd: Number(process.env.WEB_FD) });

// Finishes what was accepted.
process.on("SIGTERM", () => server.close());
