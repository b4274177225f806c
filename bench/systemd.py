#!/usr/bin/env python3
"""What clients notice of fdsupervisord under a real systemd, beside plain socket activation of the same service, in one
run: refused and otherwise failed requests, and the longest that one request took.

    systemd.py --binaries FOLDER [--rounds 20] [--clients 4] [--only restart,kill,…] [--json FILE]

Everything happens in a box (Tests/Box/systemd-box); it needs root and namespaces.
"""
import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOX = ROOT / "Tests" / "Box" / "systemd-box"
UNIT = "fdsupervisord.service"
OWN, GIVEN, PLAIN = "127.0.0.1:8001", "127.0.0.1:8002", "127.0.0.1:8003"
PATIENCE = 30  # seconds


class Box:
    """One booted machine; it dies with its standard input, that is, with this program."""

    def __init__(self, binaries):
        self.name = f"bench-{os.getpid()}"
        self.process = subprocess.Popen([BOX, "run", self.name, "--bind", binaries, "--bind", ROOT],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            sys.exit("systemd.py: the box did not boot")

    def run(self, *words, check=True):
        command = [BOX, "exec", self.name, *map(str, words)]
        outcome = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if check and outcome.returncode:
            sys.exit(f"systemd.py: {' '.join(map(str, words))}: status {outcome.returncode}\n{outcome.stderr}")
        return outcome.stdout

    def write(self, path, text):
        subprocess.run([BOX, "exec", self.name, "sh", "-c", 'mkdir -p "$(dirname "$1")" && cat >"$1"', "-", path],
                       input=text, text=True, check=True)

    def has_verb(self, verb):
        return f"ctl {verb}" in self.run("fdsupervisorctl", "help", verb, check=False)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Bench:
    def __init__(self, options):
        self.binaries, self.rounds, self.clients = Path(options.binaries).resolve(), options.rounds, options.clients
        self.results = []
        self.box = Box(self.binaries)
        self.survive = ""
        self.prepare()

    def prepare(self):
        service = self.binaries / "misbehaving"
        self.box.run("env", "PREFIX=/usr", ROOT / "scripts/install", "--binaries", self.binaries)
        self.box.write("/etc/systemd/system/given.socket",
                       f"[Socket]\nListenStream={GIVEN}\nFileDescriptorName=given\nService={UNIT}\n")
        self.box.write("/etc/systemd/system/plain.socket", f"[Socket]\nListenStream={PLAIN}\n")
        self.box.write("/etc/systemd/system/plain.service",
                       f"[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart={service} patient serve\n"
                       "Restart=on-failure\n")
        self.configure(0)
        self.box.run("systemctl", "daemon-reload")
        self.box.run("systemctl", "start", "given.socket", "plain.socket", "plain.service", UNIT)

    def configure(self, number):
        """The part that a reload changes, `other`, beside what clients use."""
        def command(printed):
            return f'command = ["{self.binaries}/misbehaving", "print={printed}", "patient"'

        self.box.write("/etc/fdsupervisord.d/bench.toml", "".join(
            [f'[socket.{name}]\nlisten = "{address}"\n[service.{name}]\n{command(0)}, "serve"]\n'
             f'sockets = ["{name}"]\n{self.survive}\n' for name, address in (("own", OWN), ("given", GIVEN))]
            + [f'[service.other]\n{command(number)}, "rest"]\n']))

    def main_pid(self, unit):
        values = self.box.run("systemctl", "show", "-p", "MainPID", "-p", "ActiveState", "--value", unit).split()
        return next(value for value in values if value.isdigit()) if "active" in values else "0"

    def kill(self, unit):
        before = self.main_pid(unit)
        self.box.run("systemctl", "kill", "--kill-who=main", "--signal=SIGKILL", unit)
        end = time.monotonic() + PATIENCE
        while self.main_pid(unit) in ("0", before):
            if time.monotonic() > end:
                sys.exit(f"systemd.py: {unit} did not come back")
            time.sleep(0.02)

    def reload(self, number):
        self.configure(number + 1)
        self.box.run("systemctl", "reload", UNIT)

    def measure(self, scenario, who, addresses, action):
        for index, address in enumerate(addresses):
            self.box.run("systemd-run", "--quiet", "--collect", f"--unit=load{index}",
                         f"--property=StandardOutput=truncate:/run/load{index}.json",
                         self.binaries / "loader", address, self.clients)
        time.sleep(0.2)
        for number in range(self.rounds):
            action(number)
            time.sleep(0.2)
        for index, address in enumerate(addresses):
            self.box.run("systemctl", "stop", f"load{index}")
            result = json.loads(self.box.run("cat", f"/run/load{index}.json"))
            result |= {"scenario": scenario, "who": who[index], "rounds": self.rounds}
            result["failed"] = result["requests"] - result["answered"] - result["refused"]
            self.results.append(result)
            print(f"{scenario}: {who[index]}: {result}", file=sys.stderr)

    def ours(self, scenario, action):
        who = ["fdsupervisord, its own socket", "fdsupervisord, socket of systemd"]
        self.measure(scenario, who, [OWN, GIVEN], action)

    def plain(self, scenario, action):
        self.measure(scenario, ["plain socket activation"], [PLAIN], action)

    def restart(self):
        self.ours("systemctl restart", lambda _: self.box.run("systemctl", "restart", UNIT))
        self.plain("systemctl restart", lambda _: self.box.run("systemctl", "restart", "plain.service"))

    def kill_daemon(self):
        self.ours("SIGKILL", lambda _: self.kill(UNIT))
        self.plain("SIGKILL", lambda _: self.kill("plain.service"))

    def survival(self):
        self.survive = "survive = true"
        self.configure(0)
        self.box.run("systemctl", "restart", UNIT)
        self.ours("SIGKILL, services survive", lambda _: self.kill(UNIT))
        self.survive = ""
        self.configure(0)
        self.box.run("systemctl", "restart", UNIT)

    def reexec(self):
        self.ours("reexec", lambda _: self.box.run("fdsupervisorctl", "reexec"))

    def reload_config(self):
        self.ours("reload", self.reload)

    def accepts_survival(self):
        self.box.write("/run/survive.toml", '[service.a]\ncommand = ["true"]\nsurvive = true\n')
        return "survive" not in subprocess.run([BOX, "exec", self.box.name, "fdsupervisord", "--check", "--config",
                                                "/run/survive.toml"], capture_output=True, text=True).stderr

    def all(self, only):
        scenarios = {"restart": self.restart, "kill": self.kill_daemon}
        if self.accepts_survival():
            scenarios["survive"] = self.survival
        for name, verb, scenario in (("reexec", "reexec", self.reexec), ("reload", "reload-config", self.reload_config)):
            if self.box.has_verb(verb):
                scenarios[name] = scenario
        for name, scenario in scenarios.items():
            if not only or name in only:
                scenario()


def table(results):
    lines = ["| what, each under load | who | rounds | requests | refused | otherwise failed | longest stall |",
             "|---|---|---:|---:|---:|---:|---:|"]
    lines += [f"| {r['scenario']} | {r['who']} | {r['rounds']} | {r['requests']} | {r['refused']} | {r['failed']} | "
              f"{r['stall_ms']:.1f} ms |" for r in results]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", required=True, help="the folder of the built programs")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--clients", type=int, default=4, help="for each address")
    parser.add_argument("--only", type=lambda text: text.split(","), help="restart, kill, survive, reexec, reload")
    parser.add_argument("--json", help="write the figures to this file, too")
    options = parser.parse_args()
    trial = subprocess.run([BOX, "can"], capture_output=True, text=True)
    if trial.returncode:
        sys.exit(trial.stderr.strip())
    bench = Bench(options)
    try:
        bench.all(options.only)
    finally:
        bench.box.close()
    print(table(bench.results))
    if options.json:
        Path(options.json).write_text(json.dumps(bench.results, indent=1) + "\n")


if __name__ == "__main__":
    main()
