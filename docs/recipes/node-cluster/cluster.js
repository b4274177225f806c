const cluster = require("node:cluster");
const http = require("node:http");

if (cluster.isPrimary) {
  cluster.fork();
  cluster.fork();
  // Workers finish what was accepted.
  process.on("SIGTERM", () => cluster.disconnect());
} else {
  const server = http.createServer((request, response) => response.end(`hello from ${process.pid}\n`));
  server.listen(8000, "127.0.0.1");
}
