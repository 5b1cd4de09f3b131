# SPDX-License-Identifier: BSD-2-Clause
"""load.py - clients of scenario_server.py: connections that take turns, at a pace or as fast as they can; and SYNs without an end"""

import os
import random
import socket
import struct
import threading
import time

PATIENCE = 30   # seconds for one answer: the online server is never slow


class Session:
    """One connection of a host to address:port."""

    def __init__(self, host, address, port):
        six = ":" in address
        self.sock = host.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.connect((address, port))

    def say(self, body, answer):
        self.sock.sendall(b"%d %d\n" % (body, answer) + os.urandom(body))

    def hear(self, length):
        while length > 0:
            data = self.sock.recv(min(length, 1 << 18))
            if not data:
                raise ConnectionError("the online server has closed in the middle of an answer")
            length -= len(data)

    def turn(self, body, answer):
        self.say(body, answer)
        self.hear(answer)

    def hear_end(self):
        if self.sock.recv(1) != b"":
            raise ConnectionError("the online server says more than it was asked for")

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()


class Load:
    """Connections at the same time, each with so many turns; one every @period seconds, or as soon as the last is answered.

    @body, @answer: bytes of each turn
    """

    def __init__(self, host, address, port, connections, turns, body=200, answer=500, period=0.0):
        self.shape = (turns, body, answer, period)
        self.turns = connections * turns
        self.errors, self.answered = [], 0
        self.lock = threading.Lock()
        sessions = [Session(host, address, port) for _ in range(connections)]
        self.threads = [threading.Thread(target=self._run, args=(s, i / connections), daemon=True) for i, s in enumerate(sessions)]
        for thread in self.threads:
            thread.start()

    def _run(self, session, phase):
        turns, body, answer, period = self.shape
        begin = time.monotonic() + phase * period
        try:
            for i in range(turns):
                time.sleep(max(0.0, begin + i * period - time.monotonic()))
                session.turn(body, answer)
                with self.lock:
                    self.answered += 1
            session.close()
        except OSError as e:
            self.errors.append(str(e))

    def finish(self, seconds=60):
        """Wait for all; what went wrong for clients raises."""
        end = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0.0, end - time.monotonic()))
        if self.errors or self.answered != self.turns:
            raise AssertionError(f"clients: {self.answered} of {self.turns} turns were answered; {self.errors[:3]}")


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def flood_syns(host, strangers, address, port, count, per_second):
    """SYNs from these addresses, which nobody has: nothing completes them. All addresses are of one family."""
    six = ":" in address
    family = socket.AF_INET6 if six else socket.AF_INET
    there = socket.inet_pton(family, address)
    with host.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        begin = time.monotonic()
        for i in range(count):
            here = socket.inet_pton(family, strangers[i % len(strangers)])
            tcp = struct.pack("!HHIIBBHHH", 1024 + i // len(strangers) % 60000, port, random.getrandbits(32), 0, 5 << 4, 2, 64240, 0, 0)
            total = checksum(here + there + struct.pack("!HH", socket.IPPROTO_TCP, len(tcp)) + tcp)
            tcp = tcp[:16] + struct.pack("!H", total) + tcp[18:]
            if six:
                ip = struct.pack("!IHBB16s16s", 6 << 28, len(tcp), socket.IPPROTO_TCP, 64, here, there)
            else:
                ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, socket.IPPROTO_TCP, 0, here, there)
            raw.sendto(ip + tcp, (address, 0))
            if i % 100 == 0:
                time.sleep(max(0.0, begin + i / per_second - time.monotonic()))
