# SPDX-License-Identifier: BSD-2-Clause
"""caches.py - scenario 4: memcached, whose requests depend on each other: the same counts and the same content at both ends"""

import socket
import threading

from lab import until
from stage import SERVERS_CPU, SETTLE, need, scenario

CONNECTIONS = 10
KEYS = 5
# of its statistics, those that its clients' requests alone decide
COUNTS = ("cmd_get", "cmd_set", "cmd_touch", "get_hits", "get_misses", "incr_hits", "delete_hits", "cas_badval", "curr_items", "bytes")


class Lines:
    """A connection that speaks lines, as memcached does."""

    def __init__(self, host, address, port):
        self.sock = host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        self.sock.settimeout(20)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.connect((address, port))
        self.file = self.sock.makefile("rb")

    def ask(self, request, last):
        """Return the lines of the answer, whose last one begins with one of these."""
        self.sock.sendall(request)
        lines = [self.file.readline()]
        while not lines[-1].startswith(last):
            assert lines[-1], "memcached has closed in the middle of an answer"
            lines.append(self.file.readline())
        return lines

    def close(self):
        self.file.close()
        self.sock.close()


class Memcached:
    def __init__(self, host, port):
        self.host, self.port = host, port
        self.process = host.start(f"memcached-{host.name}", "memcached", "-p", str(port), "-U", "0", "-u", "root", "-m", "64",
                                  "-l", f"{host.ip},{host.ip6},127.0.0.1", cpu=SERVERS_CPU)
        assert until(self.stats, 10, pause=0.1), self.process.errors()

    def say(self, request, last):
        """From its own host: nothing of it is copied."""
        lines = Lines(self.host, "127.0.0.1", self.port)
        answer = lines.ask(request, last)
        lines.close()
        return answer

    def stats(self):
        try:
            rows = [line.split() for line in self.say(b"stats\r\n", b"END")]
        except OSError:
            return {}
        return {row[1].decode(): row[2].decode() for row in rows if len(row) == 3}

    def counts(self):
        stats = self.stats()
        return {name: stats[name] for name in COUNTS}

    def content(self):
        keys = b" ".join(b"c%d-%d" % (c, k) for c in range(CONNECTIONS) for k in range(KEYS))
        return self.say(b"get " + keys + b" hits\r\n", b"END")


def play(host, address, c, rounds):
    """One client: what it stores it reads, counts and deletes again; every other time several requests at once."""
    lines = Lines(host, address, 80)
    for i in range(rounds):
        key = b"c%d-%d" % (c, i % KEYS)
        data = b"%d:%d " % (c, i) * (1 + i % 50)
        store = b"set %s 0 0 %d\r\n%s\r\n" % (key, len(data), data)
        get = b"get %s\r\n" % key
        count = b"incr hits 1\r\n"
        if i % 2:
            lines.ask(store, b"STORED")
            assert lines.ask(get, b"END")[1] == data + b"\r\n"
            assert lines.ask(count, tuple(b"%d" % d for d in range(10)))
        else:
            lines.ask(store + get + count + b"mn\r\n", b"MN")
        if i % 7 == 6:
            lines.ask(b"delete %s\r\n" % key, b"DELETED")
    lines.close()


@scenario(4)
def memcached_with_requests_that_depend_on_each_other(s):
    need("memcached", "memcached")
    online, target = Memcached(s.online_host, 80), Memcached(s.target_host, 8080)
    for server in (online, target):
        server.say(b"set hits 0 0 1\r\n0\r\n", b"STORED")
    s.copy([80])
    clients = [threading.Thread(target=play, args=(s.client, s.address, c, 60 * s.scale)) for c in range(CONNECTIONS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert int(online.counts()["cmd_set"]) == CONNECTIONS * 60 * s.scale + 1
    until(lambda: target.counts() == online.counts(), SETTLE, pause=0.2)
    summary = s.end_copy()
    assert target.counts() == online.counts(), summary
    assert target.content() == online.content(), summary
    assert summary["fidelity_percent"] == 100, summary
