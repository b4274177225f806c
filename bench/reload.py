#!/usr/bin/env python3
"""From a change on disk to the first answer of the new program: fdsupervisord beside the reloaders that are installed.

    reload.py --binaries FOLDER [--rounds N] [--only WORD,…] [--json FILE]

The same small server, in the same language, under each; a client asks again and again from the moment at which the file
is written. All run at the same time and take turns, so that they meet the same machine. Read the comparison within a
family; the milliseconds are those of this machine at this moment. "refused" counts connections that nobody took.

Reloaders are looked for in PATH: flask, uvicorn, watchfiles, watchmedo (watchdog), hupper, entr, node, nodemon,
watchexec.
Loopback only, ports chosen by the kernel; only processes that were started here are ever signalled.
"""
import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PLAIN = """\
import http.server, sys
VERSION = 0
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = b'version %d.' % VERSION
        self.send_response(200)
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *arguments): pass
def main():
    http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Answer).serve_forever()
if __name__ == '__main__': main()
"""
RELOADING = "import sys\nfrom app import app\napp.run(port=int(sys.argv[1]), use_reloader=True, reloader_type='stat')\n"
FLASK = ("from flask import Flask\nVERSION = 0\napp = Flask(__name__)\n"
         "@app.get('/')\ndef root(): return f'version {VERSION}.'\n")
ASGI = """\
VERSION = 0
async def app(scope, receive, send):
    if scope['type'] != 'http': return
    text = b'version %d.' % VERSION
    await send({'type': 'http.response.start', 'status': 200, 'headers': [(b'content-length', b'%d' % len(text))]})
    await send({'type': 'http.response.body', 'body': text})
"""
NODE = """\
const VERSION = 0
require('http').createServer((_, answer) => answer.end(`version ${VERSION}.`)).listen(+process.argv[2], '127.0.0.1')
"""
FAMILIES = {"python": ("server.py", PLAIN), "flask": ("app.py", FLASK), "uvicorn": ("app.py", ASGI),
            "node": ("server.js", NODE)}

PYTHON_SERVER = ["python3", "server.py", "{port}"]
FLASK_SERVER = ["flask", "run", "-p", "{port}"]
UVICORN_SERVER = ["uvicorn", "--log-level", "warning", "--port", "{port}", "app:app"]
NODE_SERVER = ["node", "server.js", "{port}"]

# Family, name, command; {port} is replaced. Those of fdsupervisord are added to each family.
RELOADERS = [
    ("python", "watchfiles", ["watchfiles", "python3 server.py {port}", "."]),
    ("python", "watchmedo auto-restart", ["watchmedo", "auto-restart", "-p", "*.py", "-R", "--", *PYTHON_SERVER]),
    ("python", "hupper", ["hupper", "-m", "server", "{port}"]),
    ("python", "entr", ["sh", "-c", "echo server.py | exec entr -nr python3 server.py {port}"]),
    ("python", "watchexec", ["watchexec", "-r", "-e", "py", "--", *PYTHON_SERVER]),
    ("flask", "flask run --debug", [*FLASK_SERVER, "--debug"]),
    ("flask", "flask, stat reloader", ["python3", "reloading.py", "{port}"]),
    ("uvicorn", "uvicorn --reload", [*UVICORN_SERVER, "--reload"]),
    ("node", "node --watch", ["node", "--watch", "server.js", "{port}"]),
    ("node", "nodemon", ["nodemon", "-q", "server.js", "{port}"]),
]
SERVERS = {"python": PYTHON_SERVER, "flask": FLASK_SERVER, "uvicorn": UVICORN_SERVER, "node": NODE_SERVER}


def say(text):
    print(text, flush=True)


class Peer:
    def __init__(self, family, name, command, folder, port, needs):
        self.family, self.name, self.folder, self.port, self.needs = family, name, folder, port, needs
        self.command = [word.replace("{port}", str(port)) for word in command]
        self.file = folder / FAMILIES[family][0]
        self.times, self.refused, self.version, self.process = [], 0, 0, None

    def start(self, environment):
        self.file.write_text(FAMILIES[self.family][1])
        if self.family == "flask":
            (self.folder / "reloading.py").write_text(RELOADING)
        # What the daemon's log says is no file that it watches; the others write theirs there, too.
        log = open(self.folder.with_suffix(".log"), "w")
        # watchfiles ends when its input does, entr reads names from it: each has a pipe that stays open.
        self.process = subprocess.Popen(
            self.command, cwd=self.folder, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            env={**environment, "PORT": str(self.port)})

    def stop(self):
        """The session that was started here, and nothing else."""
        if self.process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(5)
                break
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue

    def ask(self):
        """The version that answers; None when nobody does."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answer = b""
                while chunk := connection.recv(4096):
                    answer += chunk
            return int(answer.rsplit(b"version ", 1)[1].split(b".")[0])
        except ConnectionRefusedError:
            self.refused += 1
            return None
        except (OSError, IndexError, ValueError):
            return None

    def await_version(self, limit):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if self.ask() == self.version:
                return True
            time.sleep(0.001)
        return False

    def round(self):
        former, self.version = f"VERSION = {self.version}", self.version + 1
        text = self.file.read_text().replace(former, f"VERSION = {self.version}")
        began = time.monotonic()
        self.file.write_text(text)
        answered = self.await_version(20)
        self.times.append((time.monotonic() - began) * 1000 if answered else None)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def ours(binaries, family, folder, port):
    daemon = str(binaries / "fdsupervisord")
    pattern = "*" + Path(FAMILIES[family][0]).suffix
    command = json.dumps([word.replace("{port}", str(port)) for word in SERVERS[family]])
    configuration = folder.with_suffix(".toml")
    configuration.write_text(
        f'[socket.web]\nlisten = "127.0.0.1:{port}"\n[service.app]\ncommand = {command}\nsockets = ["web"]\n'
        f'pass = "intercept"\ndirectory = "{folder}"\nwatch = ["{pattern}"]\n')
    yield "fdsupervisord", [daemon, "--config", str(configuration), "--control", str(folder.with_suffix(".sock"))]
    if subprocess.run([daemon, "run", "--help"], capture_output=True).returncode == 0:
        yield "fdsupervisord run", [daemon, "run", "--listen", "127.0.0.1:{port}", "--watch", pattern, "--",
                                    *SERVERS[family]]


def make(options, home, environment):
    wanted = options.only.split(",") if options.only else None
    peers, missing = [], set()

    def add(family, name, command, needs, folder=None, port=None):
        if wanted and not any(word in (family, name) for word in wanted):
            return
        absent = [word for word in needs if not shutil.which(word, path=environment["PATH"])]
        if absent:
            return missing.update(absent)
        folder = folder or home / f"{family}-{len(peers)}"
        folder.mkdir(exist_ok=True)
        peers.append(Peer(family, name, command, folder, port or free_port(), needs))

    for family, server in SERVERS.items():
        port, base = free_port(), home / f"{family}-ours"
        for number, (name, command) in enumerate(ours(Path(options.binaries).resolve(), family, base, port)):
            if number == 0:
                add(family, name, command, [server[0]], folder=base, port=port)
            else:
                add(family, name, command, [server[0]])
    for family, name, command in RELOADERS:
        needs = [command[0]] + (["entr"] if name == "entr" else []) + [SERVERS[family][0]]
        add(family, name, command, needs)
    if missing:
        say(f"not installed, left out: {', '.join(sorted(missing))}")
    return peers


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only")
    parser.add_argument("--json")
    options = parser.parse_args()
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryDirectory(prefix="reload-") as home:
        peers = make(options, Path(home), environment)
        try:
            for peer in peers:
                peer.start(environment)
            running = []
            for peer in peers:
                if peer.await_version(20):
                    running.append(peer)
                else:
                    log = peer.folder.with_suffix(".log").read_text()[-500:]
                    say(f"{peer.family}: {peer.name} never answered, left out: {log}")
            time.sleep(2)  # each has its watches by then
            for peer in running:
                peer.refused = 0
            for number in range(options.rounds):
                for peer in running:
                    peer.round()
                    time.sleep(0.3)
            report(running, options)
        finally:
            for peer in peers:
                peer.stop()


def report(peers, options):
    results = []
    for family in SERVERS:
        for peer in sorted((peer for peer in peers if peer.family == family), key=median):
            told = sorted(time for time in peer.times if time is not None)
            p95 = told[min(len(told) - 1, int(len(told) * 0.95))] if told else None
            results.append({"family": family, "name": peer.name, "p50": median(peer), "p95": p95,
                            "missed": len(peer.times) - len(told), "refused": peer.refused})
    say(f"{'family':9}{'reloader':26}{'p50 ms':>9}{'p95 ms':>9}{'missed':>8}{'refused':>9}")
    for one in results:
        p95 = "-" if one["p95"] is None else f"{one['p95']:.0f}"
        say(f"{one['family']:9}{one['name']:26}{one['p50']:9.0f}{p95:>9}{one['missed']:8}{one['refused']:9}")
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=2))


def median(peer):
    told = [time for time in peer.times if time is not None]
    return statistics.median(told) if told else float("inf")


if __name__ == "__main__":
    sys.exit(main())
