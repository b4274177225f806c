#!/usr/bin/env python3
"""The benchmark: the same scenarios for fdsupervisord, its peers, and a bare loop in C that is the physical limit,
side by side in one run. Read the ratios (× limit); the milliseconds are those of this machine at this moment.

    bench.py --binaries FOLDER [--quick] [--peers limit,fdsupervisord,…] [--only restart,load,…] [--json FILE]

Loopback only, ports chosen by the kernel; only processes that were started here are ever signalled.
"""
import argparse
import ctypes
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import peers
from peers import Service

HERE = Path(__file__).resolve().parent
HOME = HERE.parent / ".build" / "bench"
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


class Bench:
    def __init__(self, options):
        self.quick, self.binaries = options.quick, Path(options.binaries).resolve()
        self.fixtures, self.run = HOME / "bin", HOME / "run"
        self.results = []
        for folder in (self.fixtures, self.run):
            folder.mkdir(parents=True, exist_ok=True)
        for source in (HERE / "fixtures").glob("*.c"):
            subprocess.run(["gcc", "-O2", "-static", "-pthread", "-Wall", "-Wextra", "-o", self.fixtures / source.stem,
                            source], check=True)
        wanted = options.peers.split(",") if options.peers else None
        made = [kind(self.run, self.fixtures, self.binaries) for kind in peers.ALL if not wanted or kind.name in wanted]
        self.peers = [peer for peer in made if peer.is_here()]
        left_out = [peer.name for peer in made if peer not in self.peers]
        say(f"not installed, left out: {', '.join(left_out)}" if left_out else "every peer is here")
        for peer in self.peers:
            say(f"{peer.name}: {peer.tuning}")

    def fixture(self, *words):
        return [str(self.fixtures / words[0]), *map(str, words[1:])]

    def client(self, *words):
        """The figures that the client prints; None when nobody answered."""
        run = subprocess.run(self.fixture("client", *words), capture_output=True, text=True, stdin=subprocess.DEVNULL)
        figures = run.stdout.strip().splitlines()[-1:]  # restart commands may print, too
        return [float(word) for word in figures[0].split()] if run.returncode == 0 and figures else None

    def put(self, scenario, peer, value, unit, more_is_better=False):
        self.results.append({"scenario": scenario, "peer": peer, "value": value, "unit": unit, "more": more_is_better})
        say(f"{scenario}: {peer}: {'no result' if value is None else f'{value:.4g} {unit}'}")

    def serving(self):
        """Starts every peer over one server each; the rounds of a scenario take them in turn."""
        for peer in self.peers:
            port = free_port()
            peer.service = Service("app", self.fixture("service", "serve", port), port)
            peer.start([peer.service])
            peer.ready_at = time.monotonic() if wait_until(lambda: answers(port), 20) else None
        for peer in self.peers:
            if peer.ready_at is None:
                say(f"{peer.name}: the service never answered; see {peer.folder}/daemon.log")
                peer.stop()
        return [peer for peer in self.peers if peer.ready_at]

    def relaunches(self, scenario, rounds):
        running = self.serving()
        times = {peer.name: [] for peer in running}
        try:
            for _ in range(rounds):
                for peer in running:
                    time.sleep(max(0, peer.ready_at + peer.settle - time.monotonic()))
                    command = map(str, peer.restart(peer.service)) if scenario == "restart" else []
                    figures = self.client(scenario, peer.service.port, *command)
                    peer.ready_at = time.monotonic()
                    times[peer.name] += [figures[1]] if figures else []
        finally:
            for peer in running:
                peer.stop()
        for name, answered in times.items():
            complete = len(answered) == rounds
            self.put(f"{scenario} to first answer, p50", name, statistics.median(answered) if complete else None, "ms")

    def restart(self):
        self.relaunches("restart", 5 if self.quick else 30)

    def crash(self):
        self.relaunches("crash", 5 if self.quick else 20)

    def load(self):
        restarts = 5 if self.quick else 20
        for peer in self.serving():
            try:
                clients = subprocess.Popen(self.fixture("client", "load", peer.service.port), stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, text=True)
                for _ in range(restarts):
                    time.sleep(max(0.1, peer.settle))
                    self.client("restart", peer.service.port, *map(str, peer.restart(peer.service)))
                _, lost, longest = map(float, clients.communicate()[0].split())
                self.put(f"requests lost in {restarts} restarts under load", peer.name, lost, "")
                self.put("longest wait under load", peer.name, longest, "ms")
            finally:
                peer.stop()

    def idle(self):
        for count in (1, 100 if self.quick else 1000):
            for peer in self.peers:
                marks = self.run / "marks"
                marks.write_bytes(b"")
                services = [Service(f"s{i}", self.fixture("service", "idle", marks)) for i in range(count)]
                began = time.monotonic()
                peer.start(services)
                try:
                    up = wait_until(lambda: marks.stat().st_size >= count, 60)
                    self.put(f"start of {count} services", peer.name, time.monotonic() - began if up else None, "s")
                    if not up:
                        continue
                    time.sleep(3)
                    own = peer.own_side()
                    before = wakeups(own)
                    time.sleep(3 if self.quick else 10)
                    self.put(f"wake-ups beside {count} idle services", peer.name, wakeups(own) - before, "")
                    self.put(f"memory (PSS) with {count} services", peer.name, sum(map(pss, own)) / 1024, "MiB")
                finally:
                    peer.stop()

    def logs(self):
        size = 64 if self.quick else 512
        with tempfile.TemporaryDirectory(dir="/dev/shm") as place:  # memory, so that no disk is measured
            result, kept = Path(place) / "result", Path(place) / "log"
            writer = self.fixture("service", "log", size, result)
            for peer in self.peers:
                if peer.name == "limit":
                    source = subprocess.Popen(writer, stdout=subprocess.PIPE)
                    sink = subprocess.Popen(self.fixture("limit", "copy", kept), stdin=source.stdout)
                    source.stdout.close()
                    stop = [lambda: (source.kill(), source.wait(), sink.wait())]
                else:
                    peer.start([Service("log", writer, log=kept)])
                    stop = [peer.stop]
                try:
                    done = wait_until(lambda: result.exists() and result.read_text(), 120)
                    speed = size * 1.048576 / float(result.read_text()) if done else None
                    self.put("output to a file", peer.name, speed, "MB/s", more_is_better=True)
                finally:
                    stop[0]()
                    for left in Path(place).iterdir():
                        shutil.rmtree(left) if left.is_dir() else left.unlink()

    def holders(self):
        processes, descriptors, port = (100, 50, free_port()) if self.quick else (1000, 100, free_port())
        tools = {"limit": self.fixture("limit", "holders", port), "ss": ["ss", "-lptnH", f"sport = :{port}"],
                 "fuser": ["fuser", f"{port}/tcp"], "lsof": ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN"],
                 "fdsupervisord": [str(self.binaries / "fdsupervisorctl"), "holders", f"127.0.0.1:{port}"]}
        crowd = subprocess.Popen(self.fixture("service", "crowd", processes, descriptors, port), stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)
        try:
            crowd.stdout.readline()
            for name, command in tools.items():
                if not shutil.which(command[0]):
                    continue
                times = []
                for _ in range(3 if self.quick else 10):
                    began = time.monotonic()
                    subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
                    times.append((time.monotonic() - began) * 1000)
                scenario = f"holders of a port beside {processes} processes × {descriptors} descriptors"
                self.put(scenario, name, statistics.median(times), "ms")
        finally:
            crowd.communicate(b"")


def say(text):
    print(text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as s:
            return s.recv(32)
    except OSError:
        return b""


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.002)
    return value


def field(path, name):
    try:
        return next(int(line.split()[1]) for line in Path(path).read_text().splitlines() if line.startswith(name))
    except (OSError, StopIteration):
        return 0


def wakeups(pids):
    return sum(field(f"/proc/{pid}/status", "voluntary_ctxt_switches:") for pid in pids)


def pss(pid):
    return field(f"/proc/{pid}/smaps_rollup", "Pss:")


def table(results):
    """Markdown: a line for each scenario and peer, with its ratio to the limit of the same scenario."""
    lines = ["| scenario | peer | value | × limit |", "|---|---|---:|---:|"]
    for r in results:
        limit = next((x["value"] for x in results if x["scenario"] == r["scenario"] and x["peer"] == "limit"), None)
        value = "no result" if r["value"] is None else f"{r['value']:.4g} {r['unit']}".strip()
        ratio = f"{r['value'] / limit:.2f}" if limit and r["value"] is not None else "–"
        lines.append(f"| {r['scenario']} | {r['peer']} | {value} | {ratio} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", required=True, help="the folder of fdsupervisord and fdsupervisorctl")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and services: to see that it works")
    parser.add_argument("--peers", help="names, separated by commas")
    parser.add_argument("--only", default="restart,crash,load,idle,logs,holders", help="scenarios")
    parser.add_argument("--json", help="write the figures to this file, too")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    bench = Bench(options)
    for scenario in options.only.split(","):
        getattr(bench, scenario)()
    print(table(bench.results))
    if options.json:
        Path(options.json).write_text(json.dumps(bench.results, indent=1) + "\n")


if __name__ == "__main__":
    main()
