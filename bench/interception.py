#!/usr/bin/env python3
"""What interception costs: a bind(2) that is told and answered beside a plain one, and the throughput of one server
behind an intercepted listener beside the same on its own socket, in turns, in one run.

    interception.py --binaries FOLDER [--rounds 2000] [--turns 6] [--seconds 1] [--json FILE]

Loopback only, ports chosen by the kernel; only processes that were started here are ever signalled.
"""
import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PATIENCE = 30  # seconds


def say(text):
    print(text, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(is_done):
    end = time.monotonic() + PATIENCE
    while not is_done():
        if time.monotonic() > end:
            sys.exit("interception.py: waited in vain; is the daemon built, and are you root?")
        time.sleep(0.01)


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            return bool(connection.recv(64))
    except OSError:
        return False


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, Path(folder)
        self.binaries = Path(options.binaries).resolve()
        self.results = {}
        for name in ("binder", "service"):
            source = HERE / "fixtures" / f"{name}.c"
            subprocess.run(["gcc", "-O2", "-static", "-pthread", "-o", self.folder / name, source], check=True)

    def daemon(self, port, services):
        """The daemon over services that have one socket, until the block ends."""
        text = f'[socket.web]\nlisten = "127.0.0.1:{port}"\n'
        for name, words in services.items():
            text += (f"[service.{name}]\ncommand = {json.dumps([str(word) for word in words])}\n"
                     'sockets = ["web"]\npass = "intercept"\nrestart = "never"\n')
        (self.folder / "daemon.toml").write_text(text)
        command = [self.binaries / "fdsupervisord", "--config", self.folder / "daemon.toml",
                   "--control", self.folder / "control.sock"]
        return Running(command, self.folder / "daemon.log")

    def bind(self, name, port, is_told):
        """Median and 99th percentile of bind(2), in microseconds."""
        file = self.folder / "times"
        file.unlink(missing_ok=True)
        words = [self.folder / "binder", "bind", "127.0.0.1", port, self.options.rounds, file]
        owned = port if is_told == "owned" else free_port()
        if is_told == "plain":
            subprocess.run(list(map(str, words)), check=True)
        else:
            with self.daemon(owned, {"binder": words}):
                wait_until(lambda: file.exists() and file.read_text().endswith("\n"))
        median, late = map(float, file.read_text().split())
        self.results[name] = {"p50_us": median, "p99_us": late}
        say(f"bind(2), {name}: p50 {median:.1f} µs, p99 {late:.1f} µs")

    def throughput(self):
        own, owned = free_port(), free_port()
        server = self.folder / "service"
        rates = {"own": [], "intercepted": []}
        with Running([server, "serve", own], self.folder / "own.log"):
            with self.daemon(owned, {"server": [server, "serve", owned]}):
                wait_until(lambda: answers(own) and answers(owned))
                for _ in range(self.options.turns):
                    for name, port in (("own", own), ("intercepted", owned)):
                        words = [self.folder / "binder", "load", port, self.options.seconds]
                        run = subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True)
                        rates[name].append(float(run.stdout))
        ratio = statistics.median(a / b for a, b in zip(rates["intercepted"], rates["own"]))
        for name, all_rates in rates.items():
            self.results[f"throughput, {name}"] = statistics.median(all_rates)
            say(f"throughput, {name} socket: {statistics.median(all_rates):.0f} answers/s")
        self.results["throughput ratio"] = ratio
        say(f"throughput, intercepted / own: {ratio:.3f}")

    def run(self):
        port = free_port()
        self.bind("plain", port, "plain")
        self.bind("told, and none of ours", port, "foreign")
        self.bind("told, and answered with the listener", port, "owned")
        self.throughput()


class Running:
    """A process for the length of a block."""

    def __init__(self, command, log):
        self.command, self.log = list(map(str, command)), log

    def __enter__(self):
        with open(self.log, "w") as log:
            # A session of its own, as services have: the scheduler may share out by sessions, sched(7).
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fdsupervisor-bench-") as folder:
        bench = Bench(options, folder)
        bench.run()
    if options.json:
        Path(options.json).write_text(json.dumps(bench.results, indent=2) + "\n")


if __name__ == "__main__":
    main()
