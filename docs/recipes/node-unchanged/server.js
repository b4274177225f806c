const http = require("node:http");

const server = http.createServer((request, response) => response.end(`hello from ${process.pid}\n`));
server.listen(8000, "127.0.0.1");
