#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-2-Clause
"""crowd.py ADDRESS PORT COUNT RATE - so many connections, RATE a second, that are open and say nothing, until SIGUSR1

"open" on stdout: all are. At SIGUSR1 each says a line of its own and hears an echo of it; "heard" on stdout: all did. The exit status is 1
when one did not. They are closed at SIGTERM.
"""

import resource
import signal
import socket
import sys
import time

PATIENCE = 30


def connect(address, port, count, rate):
    connections, begin = [], time.monotonic()
    for i in range(count):
        time.sleep(max(0.0, begin + i / rate - time.monotonic()))
        connections.append(socket.create_connection((address, port), PATIENCE))
    return connections


def speak(connections):
    """In groups: a server's queues are short."""
    for first in range(0, len(connections), 100):
        group = connections[first:first + 100]
        lines = [b"%s says that it is still here\n" % repr(c.getsockname()).encode() for c in group]
        for c, line in zip(group, lines):
            c.sendall(line)
        for c, line in zip(group, lines):
            if c.recv(len(line), socket.MSG_WAITALL) != line:
                raise ConnectionError(f"{c.getsockname()} heard no echo")


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    address, port, count, rate = sys.argv[1], *map(int, sys.argv[2:])
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])
    connections = connect(address, port, count, rate)
    print("open", flush=True)
    while signal.sigwait([signal.SIGUSR1, signal.SIGTERM]) == signal.SIGUSR1:
        speak(connections)
        print("heard", flush=True)


if __name__ == "__main__":
    main()
