"""The supervisors of the benchmark: how each is configured, started, and told to restart. What is not installed is left out."""
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Service:
    name: str
    argv: list
    port: int | None = None
    log: Path | None = None


def descendants(pid):
    """Everyone below pid; /proc/PID/task/TID/children, proc(5)."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in map(int, task.read_text().split()):
                found += [child, *descendants(child)]
        except OSError:
            pass  # it ended meanwhile
    return found


class Peer:
    name, programs, owns, settle, tuning = "", (), True, 0.0, ""

    def __init__(self, folder, fixtures, binaries):
        self.folder, self.fixtures, self.binaries = folder / self.name, fixtures, binaries
        self.daemon = None

    def is_here(self):
        return all(map(shutil.which, self.programs))

    def write(self, name, text, mode=0o644):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def start(self, services):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.configure(services)
        log = open(self.folder / "daemon.log", "wb")
        self.daemon = subprocess.Popen([str(word) for word in self.command()], stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, start_new_session=True)

    def stop(self):
        """SIGTERM to the daemon; whoever of its tree is left goes by pidfd, so that no stranger can be hit.

        The benchmark is a subreaper: what the daemon leaves behind comes to it, and is reaped here.
        """
        if self.daemon is None:
            return
        tree = []
        for pid in descendants(self.daemon.pid):
            try:
                tree.append(os.pidfd_open(pid))
            except ProcessLookupError:
                pass
        self.daemon.terminate()
        try:
            self.daemon.wait(10)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
        for process in tree:
            try:
                signal.pidfd_send_signal(process, signal.SIGKILL)
                os.waitid(os.P_PIDFD, process, os.WEXITED)
            except (ProcessLookupError, ChildProcessError):
                pass
            os.close(process)
        self.daemon = None

    def own_side(self):
        """The daemon and what it needs beside it: keepers, one supervisor a service, loggers. Not the services."""
        service = (self.fixtures / "service").resolve()
        return [pid for pid in [self.daemon.pid, *descendants(self.daemon.pid)] if executable(pid) != service]


def executable(pid):
    try:
        return Path(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return None


class Limit(Peer):
    name, tuning = "limit", "a loop in C that checks nothing; `copy` and `holders`, too"

    def configure(self, services):
        self.write("config", "".join(f"{s.name} {s.port or '-'} {' '.join(s.argv)}\n" for s in services))

    def command(self):
        return [self.fixtures / "limit", "serve", self.folder / "control", self.folder / "config"]

    def restart(self, service):
        return [self.fixtures / "limit", "restart", self.folder / "control", service.name]


class Fdsupervisord(Peer):
    name, tuning = "fdsupervisord", "no start limit; backoff from 1 ms"

    def is_here(self):
        return (self.binaries / "fdsupervisord").exists()

    def configure(self, services):
        text = ""
        for s in services:
            text += f'[socket.{s.name}]\nlisten = "127.0.0.1:{s.port}"\n' if s.port else ""
            text += f"[service.{s.name}]\ncommand = {json.dumps(s.argv)}\n"
            text += f'sockets = ["{s.name}"]\n' if s.port else ""
            text += f'log = {{ file = "{s.log}", max_size = "50MiB", keep = 3 }}\n' if s.log else ""
            text += 'start_limit = { burst = 1000, interval = "1m" }\nbackoff = { initial = "1ms", max = "100ms" }\n'
        self.write("fdsupervisord.toml", text)

    def command(self):
        return [self.binaries / "fdsupervisord", "--config", self.folder / "fdsupervisord.toml", "--control",
                self.folder / "control"]

    def restart(self, service):
        return [self.binaries / "fdsupervisorctl", "--control", self.folder / "control", "restart", service.name]


class Supervisord(Peer):
    name, tuning = "supervisord", "startsecs=0, stopwaitsecs=1; fcgi-program for the owned socket"

    def is_here(self):
        """From PATH, else from PyPI into an environment of our own."""
        environment = self.folder.parent.parent / "venv"
        self.bin = Path(shutil.which("supervisord") or environment / "bin" / "supervisord").parent
        if not (self.bin / "supervisord").exists():
            subprocess.run([sys.executable, "-m", "venv", environment], capture_output=True)
            subprocess.run([environment / "bin" / "pip", "install", "-q", "--timeout", "5", "--retries", "1",
                            "supervisor"], capture_output=True)
        return (self.bin / "supervisord").exists()

    def configure(self, services):
        text = (f"[unix_http_server]\nfile={self.folder}/sock\n[supervisorctl]\nserverurl=unix://{self.folder}/sock\n"
                f"[supervisord]\nnodaemon=true\nlogfile={self.folder}/log\npidfile={self.folder}/pid\n"
                "minfds=8192\nminprocs=2048\n[rpcinterface:supervisor]\n"
                "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n")
        for s in services:
            text += f"[{'fcgi-program' if s.port else 'program'}:{s.name}]\ncommand={' '.join(s.argv)}\n"
            text += f"socket=tcp://127.0.0.1:{s.port}\n" if s.port else ""
            text += "startsecs=0\nautorestart=true\nstopwaitsecs=1\nstderr_logfile=NONE\n"
            text += f"stdout_logfile={s.log or 'NONE'}\nstdout_logfile_maxbytes=50MB\nstdout_logfile_backups=3\n"
        self.write("conf", text)

    def command(self):
        return [self.bin / "supervisord", "-c", self.folder / "conf"]

    def restart(self, service):
        return [self.bin / "supervisorctl", "-c", self.folder / "conf", "restart", f"{service.name}:*"]


class Scanned(Peer):
    """The daemontools family: a folder of folders with a script `run` in each. Services bind by themselves."""
    owns, settle, tuning = False, 1.1, "waits 1 s between starts: the benchmark restarts only after that"
    logger, scanner, again = "", [], []

    def configure(self, services):
        for s in services:
            self.write(f"sv/{s.name}/run", f"#!/bin/sh\nexec {' '.join(s.argv)}\n", 0o755)
            if s.log:
                self.write(f"sv/{s.name}/log/run", f"#!/bin/sh\nexec {self.logger} {s.log}.d\n", 0o755)
                Path(f"{s.log}.d").mkdir()

    def command(self):
        return [*self.scanner, self.folder / "sv"]

    def restart(self, service):
        return [*self.again, self.folder / "sv" / service.name]


class Runit(Scanned):
    name, programs, logger, scanner, again = "runit", ("runsvdir", "sv"), "svlogd", ["runsvdir"], ["sv", "restart"]


class S6(Scanned):
    name, programs, logger = "s6", ("s6-svscan", "s6-svc"), "s6-log n3 s50000000"
    scanner, again = ["s6-svscan", "-c", "2100"], ["s6-svc", "-r"]


class Daemontools(Scanned):
    name, programs, logger = "daemontools", ("svscan", "svc"), "multilog s16777215 n10"
    scanner, again = ["svscan"], ["svc", "-t"]


ALL = [Limit, Fdsupervisord, Supervisord, Runit, S6, Daemontools]
