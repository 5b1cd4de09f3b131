#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-2-Clause
"""recorder.py LOG MANNER:FIRST-LAST... - a server on ranges of ports that writes down what each connection said

How it answers, by port:
    silent  not at all
    echo    each read by the same bytes
    late    as echo, but LATE seconds later
    bulk    each read by BULK bytes
    greet   as echo, but it speaks first
It closes when its client has.

LOG gets a line for each connection, as JSON, when that ends; at SIGTERM also for those that are open:
    port, client ("IP:PORT"), number (in the order of accept), bytes, digest (SHA-256), end ("fin", "rst", "open")
    reads: [[time, bytes], ...]; when the kernel received the last of these bytes, seconds of CLOCK_REALTIME

"ready" on stdout says that it listens on all ports.
"""

import hashlib
import heapq
import json
import resource
import selectors
import signal
import socket
import struct
import sys
import time

BULK = b"-" * 20000
LATE = 0.1
READ = 1 << 18
SO_TIMESTAMPNS = 35


def received_at(notes):
    for level, kind, data in notes:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, ns = struct.unpack("qq", data)
            return seconds + ns / 1e9
    return time.time()


class Connection:
    """One accepted connection; .out is what it still has to say."""

    def __init__(self, server, number, sock, peer):
        self.server, self.number, self.sock = server, number, sock
        self.port = sock.getsockname()[1]
        self.client = f"{peer[0].removeprefix('::ffff:')}:{peer[1]}"
        self.manner = server.manner(self.port)
        self.digest, self.bytes, self.reads = hashlib.sha256(), 0, []
        self.out = b""

    def greet(self):
        if self.manner == "greet":
            self.say(b"220 the recorder listens\r\n")

    def say(self, data):
        self.out += data
        self.flush()
        self.want()

    def want(self):
        if self.sock.fileno() >= 0:
            self.server.watch(self, selectors.EVENT_READ | (selectors.EVENT_WRITE if self.out else 0))

    def flush(self):
        try:
            self.out = self.out[self.sock.send(self.out):]
        except BlockingIOError:
            pass
        except OSError:
            self.out = b""  # its client is gone; the next read tells how

    def on_event(self, events):
        if events & selectors.EVENT_WRITE:
            self.flush()
        if events & selectors.EVENT_READ:
            self.read()
        self.want()

    def read(self):
        try:
            data, notes, *_ = self.sock.recvmsg(READ, 64)
        except BlockingIOError:
            return
        except OSError:
            self.end("rst")
            return
        if not data:
            self.end("fin")
            return
        self.reads.append((received_at(notes), len(data)))
        self.digest.update(data)
        self.bytes += len(data)
        if self.manner == "late":
            self.server.later(LATE, self, data)
        elif self.manner != "silent":
            self.say(BULK if self.manner == "bulk" else data)

    def end(self, how):
        self.server.write(self, how)
        self.server.forget(self)
        self.sock.close()


class Server:
    def __init__(self, log, ranges):
        self.log = open(log, "w", encoding="ascii", buffering=1)
        self.ranges = ranges
        self.selector, self.connections, self.accepted = selectors.DefaultSelector(), set(), 0
        self.queue = []     # (time, ..., connection, bytes): to be said then
        for _, first, last in ranges:
            for port in range(first, last + 1):
                self.listen(port)

    def manner(self, port):
        return next(manner for manner, first, last in self.ranges if first <= port <= last)

    def listen(self, port):
        s = socket.create_server(("::", port), family=socket.AF_INET6, backlog=4096, dualstack_ipv6=True)
        s.setblocking(False)
        s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.selector.register(s, selectors.EVENT_READ, lambda _events: self.accept(s))

    def accept(self, listener):
        while True:
            try:
                sock, peer = listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.accepted += 1
            c = Connection(self, self.accepted, sock, peer)
            self.connections.add(c)
            self.selector.register(sock, selectors.EVENT_READ, c.on_event)
            c.greet()

    def watch(self, c, events):
        if self.selector.get_key(c.sock).events != events:
            self.selector.modify(c.sock, events, c.on_event)

    def forget(self, c):
        self.connections.discard(c)
        self.selector.unregister(c.sock)

    def write(self, c, end):
        print(json.dumps({"port": c.port, "client": c.client, "number": c.number, "bytes": c.bytes, "digest": c.digest.hexdigest(),
                          "reads": c.reads, "end": end}), file=self.log)

    def later(self, seconds, c, data):
        heapq.heappush(self.queue, (time.monotonic() + seconds, len(c.reads), c.number, c, data))

    def say_due(self):
        """Say what is due; return the seconds until the next, None when nothing waits."""
        while self.queue and self.queue[0][0] <= time.monotonic():
            *_, c, data = heapq.heappop(self.queue)
            if c in self.connections:
                c.say(data)
        return max(self.queue[0][0] - time.monotonic(), 0) if self.queue else None

    def run(self):
        signal.signal(signal.SIGTERM, self.stop)
        print("ready", flush=True)
        while True:
            for key, events in self.selector.select(self.say_due()):
                key.data(events)

    def stop(self, _number, _frame):
        for c in sorted(self.connections, key=lambda c: c.number):
            self.write(c, "open")
        sys.exit(0)


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ranges = []
    for text in sys.argv[2:]:
        manner, ports = text.split(":")
        first, last = ports.split("-")
        ranges.append((manner, int(first), int(last)))
    Server(sys.argv[1], ranges).run()


if __name__ == "__main__":
    main()
