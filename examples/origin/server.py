#!/usr/bin/env python3
"""The server that this project began with: it starts a child, and the child keeps the port.

Python marks descriptors close-on-exec since 3.4; `set_inheritable` brings back what C, Python 2 and many others do
(and what Flask's reloader does on purpose): every child gets the listener, too.

    server.py [PORT]      without LISTEN_FDS it binds 127.0.0.1:PORT by itself (default 22222)
"""
import os
import select
import signal
import socket
import subprocess
import sys

FIRST_DESCRIPTOR = 3  # sd_listen_fds(3)


def listener(port):
    """The socket that the supervisor owns and hands over, else one of our own."""
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and int(os.environ.get("LISTEN_FDS", "0")) >= 1:
        return socket.socket(fileno=FIRST_DESCRIPTOR)
    own = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        own.bind(("127.0.0.1", port))
    except OSError as error:
        sys.exit(f"server.py: cannot bind 127.0.0.1:{port}: {error.strerror}")
    own.listen(128)
    return own


def answer(client):
    client.settimeout(5)
    client.recv(65536)
    body = f"hello from pid {os.getpid()}\n".encode()
    client.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def serve(server):
    while True:
        select.select([server], [], [])
        # A request in hand is answered before SIGTERM counts.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        client, _ = server.accept()
        with client:
            try:
                answer(client)
            except OSError:
                pass  # the client is gone
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = listener(int(sys.argv[1]) if len(sys.argv) > 1 else 22222)
    server.set_inheritable(True)  # the leak: whatever is started from here on has the port, too
    stray = subprocess.Popen(["sleep", "1000"], close_fds=False)  # in the wild: os.system("… &"), a worker, a watcher
    print(f"pid {os.getpid()} serves port {server.getsockname()[1]} and started pid {stray.pid}: sleep 1000", flush=True)
    stray.returncode = 0  # it is left alone: no warning at exit
    serve(server)


if __name__ == "__main__":
    main()
