#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""make_corpus.py - write the seeds of the fuzzers of src/wire and of the channel into corpus/; run by hand when a format changes

Each seed is one input that goes far into its decoder. What a fuzzer found is put beside them under a name of its own.
"""

import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))


def save(fuzzer, name, data):
    folder = os.path.join(HERE, "corpus", fuzzer)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


V4 = (bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
V6 = (bytes.fromhex("20010db8000000000000000000000001"), bytes.fromhex("20010db8000000000000000000000002"))
TIMESTAMPS = bytes([1, 1, 8, 10]) + struct.pack(">II", 7, 8)
SYN_OPTIONS = bytes([2, 4, 5, 180, 4, 2, 8, 10]) + struct.pack(">II", 7, 0) + bytes([1, 3, 3, 7])
SACK = bytes([1, 1, 5, 26]) + struct.pack(">6I", 100, 200, 300, 400, 500, 600)
MPTCP_JOIN = bytes([30, 12, 0x10, 1]) + bytes(8)


def tcp(options=TIMESTAMPS, payload=b"GET / HTTP/1.1\r\n\r\n", flags=0x18):
    return struct.pack(">HHIIBBHHH", 40000, 80, 1000, 2000, (20 + len(options)) // 4 << 4, flags, 500, 0, 0) + options + payload


def ipv4(body, options=b"", part=0x4000, proto=6, total=None):
    total = 20 + len(options) + len(body) if total is None else total
    return struct.pack(">BBHHHBBH", 0x45 + len(options) // 4, 0, total, 7, part, 64, proto, 0) + V4[0] + V4[1] + options + body


def ipv6(body, kind=6, length=None):
    return struct.pack(">IHBB", 0x60000000, len(body) if length is None else length, kind, 64) + V6[0] + V6[1] + body


def frames():
    types = {4: 0x0800, 6: 0x86DD}
    packets = {
        "v4": (4, ipv4(tcp())),
        "v4-syn": (4, ipv4(tcp(SYN_OPTIONS, b"", 2))),
        "v4-options": (4, ipv4(tcp(SACK), bytes([148, 4, 0, 0, 1, 1, 1, 0]))),
        "v4-length-0": (4, ipv4(tcp(), total=0)),
        "v4-padding": (4, ipv4(tcp(b"", b"", 0x10)) + bytes(6)),
        "v4-fragment": (4, ipv4(tcp(), part=0x2000)),
        "v4-bad-option": (4, ipv4(tcp(bytes([5, 0, 1, 1])))),
        "v4-mptcp": (4, ipv4(tcp(MPTCP_JOIN, b"", 2))),
        "v6": (6, ipv6(tcp())),
        "v6-chain": (6, ipv6(bytes([43, 0] + [0] * 6 + [60, 0] + [0] * 6 + [51, 0] + [0] * 6 + [6, 1] + [0] * 10) + tcp(), 0)),
        "v6-atomic": (6, ipv6(bytes([6, 0, 0, 0, 0, 0, 0, 9]) + tcp(), 44)),
        "v6-fragment": (6, ipv6(bytes([6, 0, 0, 1, 0, 0, 0, 9]) + tcp(), 44)),
        "v6-jumbo": (6, ipv6(bytes([6, 0, 0xC2, 4]) + struct.pack(">I", 100000) + tcp(), 0, 0)),
    }
    links = {
        "ethernet": (0, lambda v: bytes(12) + struct.pack(">H", types[v])),
        "vlan": (0, lambda v: bytes(12) + struct.pack(">HHH", 0x8100, 100, types[v])),
        "qinq": (0, lambda v: bytes(12) + struct.pack(">HHHHH", 0x88A8, 512, 0x8100, 100, types[v])),
        "raw": (1, lambda v: b""),
        "null": (2, lambda v: struct.pack("<I", 2 if v == 4 else 30)),
        "loop": (3, lambda v: struct.pack(">I", 2 if v == 4 else 24)),
        "sll": (4, lambda v: struct.pack(">HHH8sH", 0, 1, 6, bytes(8), types[v])),
        "sll2": (5, lambda v: struct.pack(">HHIHBB8s", types[v], 0, 2, 1, 0, 6, bytes(8))),
    }
    for name, (version, packet) in packets.items():
        save("frame", "raw-" + name, bytes([1, 0, 0, 0, 0]) + packet)
    for name, (number, head) in links.items():
        for version in (4, 6):
            save("frame", f"{name}-v{version}", bytes([number, 0, 9, 0, 0]) + head(version) + packets[f"v{version}"][1])


def options():
    seeds = {
        "timestamps": TIMESTAMPS,
        "timestamps-last": TIMESTAMPS[2:] + bytes([1, 1]),
        "syn": SYN_OPTIONS,
        "sack": SACK,
        "sack-4": bytes([1, 1, 5, 34]) + bytes(range(32)),
        "mptcp": MPTCP_JOIN,
        "unknown": bytes([34, 6, 1, 2, 3, 4, 254, 2, 0, 0]),
        "length-0": bytes([8, 0, 1, 1]),
        "past-the-end": bytes([8, 10, 1, 1]),
        "shift-255": bytes([3, 3, 255, 0]),
    }
    for name, data in seeds.items():
        save("tcpopt", name, data)


def batch(kind, body, count=1):
    return struct.pack(">BBHI", kind, 1, count, len(body)) + body


def answer(what, rest, v6=False):
    a, b = V6 if v6 else V4
    return struct.pack(">BBHIIIHHH", what | v6, 0x12, 500, 1000, 2000, 1460, 3, 40000, 80) + a + b + rest


def channels():
    mapped = bytes(10) + b"\xff\xff"
    software = bytes([13]) + b"tcpcopy 2.0.0"
    target = mapped + V4[1] + struct.pack(">H", 8080)
    full = struct.pack(">HBII", 1460, 7, 5, 6)
    tuples = struct.pack(">HH", 40000, 80) + mapped + V4[0] + mapped + V4[1]
    seeds = {
        "hello": batch(1, struct.pack(">QQQH", 1, 2, 3, 2) + target * 2 + software),
        "hello-64": batch(1, struct.pack(">QQQH", 1, 2, 3, 64) + target * 64 + software),
        "welcome": batch(2, software),
        "refuse": batch(3, struct.pack(">HH", 3, 9) + b"other key"),
        "answers": batch(4, answer(0x1E, full) + answer(0x68, bytes(8 + 24)) + answer(0, b"", True), 3),
        "answers-sack": batch(4, answer(0x80, bytes(32), True)),
        "announce": batch(5, tuples * 3, 3),
        "announced": batch(6, tuples),
        "disown": batch(7, tuples),
        "stats": batch(8, struct.pack(">QQQQ", 1, 2, 3, 4)),
        "ping": batch(9, struct.pack(">Q", 42)),
        "pong": batch(10, struct.pack(">Q", 42)),
        "unknown": batch(200, bytes(100)) + batch(9, struct.pack(">Q", 42)),
        "too-long": struct.pack(">BBHI", 4, 1, 1, 16377),
    }
    for name, data in seeds.items():
        save("channel", name, data)
    save("channel", "conversation", b"".join(seeds[k] for k in ("welcome", "answers", "announced", "stats", "pong")))


def fragment(offset, length, more=True, v6=False, other=False, cut=None, wait=0, number=1):
    flags = v6 | more << 1 | other << 2 | (cut is not None) << 3 | wait << 4
    return struct.pack(">BBHHH", flags, number, offset // 8, length, cut or 0)


def reassemblies():
    for name, v6 in (("v4", False), ("v6", True)):
        f = lambda *a, **k: fragment(*a, v6=v6, **k)
        save("reassembly", f"{name}-in-order", f(0, 1480) + f(1480, 1480) + f(2960, 55, False))
        save("reassembly", f"{name}-backwards", f(2960, 55, False) + f(1480, 1480) + f(0, 1480))
        save("reassembly", f"{name}-twice", f(0, 1480) + f(0, 1480) + f(1480, 20, False))
        save("reassembly", f"{name}-overlap", f(0, 80) + f(40, 80, other=True) + f(120, 8, False))
        save("reassembly", f"{name}-two-ends", f(80, 8, False) + f(88, 8, False) + f(0, 80))
        save("reassembly", f"{name}-beyond-the-end", f(16, 8, False) + f(0, 64))
        save("reassembly", f"{name}-too-long", f(65528, 100, False) + f(0, 65528) + f(65528, 7, False))
        save("reassembly", f"{name}-cut", f(0, 1480, cut=100) + f(1480, 20, False))
        save("reassembly", f"{name}-late", f(0, 1480) + f(1480, 20, False, wait=15) + f(0, 1480))
        save("reassembly", f"{name}-many", b"".join(f(0, 4000, number=i) for i in range(9)) + f(4000, 8, False, number=8))
        save("reassembly", f"{name}-large", b"".join(f(0, 30000, number=i) + f(30000, 30000, number=i) for i in range(4)) +
             f(60000, 8, False, number=3))


def channel_ends():
    """Op-codes of client.c and server.c: a byte says what and which, its operands follow."""
    tuples = struct.pack(">HH", 5, 80) + bytes(32)

    def says(kind, body, count=1, op=5):  # a batch whose head is true
        return bytes([op, 0, kind, count, len(body)]) + body

    up = bytes([14, 6, 14])
    long = bytes([1, 21]) * 8
    clients = {
        "up": bytes([0]) + up + bytes([11, 12, 5, 13, 6]),
        "answers": bytes([0]) + up + bytes([7, 9, 1, 2, 3, 10, 255, 10, 255, 10, 255]),
        "announced": bytes([0]) + up + says(6, tuples * 3, 3) + bytes([11]),
        "stats": bytes([0]) + up + bytes([8, 9, 1, 8, 10, 2, 8, 3, 1]),
        "unknown": bytes([0]) + up + says(200, bytes(9)) + bytes([14]),
        "refused": bytes([0, 14]) + says(3, struct.pack(">HH", 4, 3) + b"no!") + bytes([14]),
        "contradiction": bytes([0]) + up + says(6, tuples, 2) + bytes([1, 30, 14]),
        "silent": bytes([0]) + up + long + up,
        "not-connected": bytes([0, 2, 2]) + long,
        "hangs": bytes([0, 2, 1]) + long,
        "no-handshake": bytes([0, 2, 4]) + long,
        "other-key": bytes([1, 2, 0x10]) + up,
        "same-key": bytes([1, 2, 0x20]) + up,
        "in-pieces": bytes([0, 14, 3, 0x41, 6]) + bytes([14]) * 40,
        "takes-nothing": bytes([0, 3, 0x80, 0, 30]) + up + bytes([12, 1]) * 40 + bytes([3, 0xC0, 14]),
        "goes": bytes([0]) + up + bytes([9, 14]),
        "full": bytes([0]) + up + (bytes([7, 11]) + bytes(3 * 304) + bytes([10, 200])) * 4 + bytes([10, 255]) * 6,
        "announced-too-often": bytes([0]) + up + says(6, tuples * 7, 7) * 40 + bytes([11]),
        "three": bytes([4, 0x0E, 0x1E, 0x2E, 0x06, 0x16, 0x26, 0x17, 3, 1, 0x0A, 20, 0x09, 0x19, 0x29, 11]),
    }
    for name, data in clients.items():
        save("client", name, data)

    hello = bytes([3, 0, 6, 0, 1, 2])  # number 0 knocks and says hello
    servers = {
        "up": bytes([0]) + hello + bytes([7, 0, 0x83, 7, 0, 3, 8, 0, 4]),
        "told": bytes([0]) + hello + b"".join(bytes([11, i, 9, 12, i]) for i in range(18)),
        "refused": bytes([0, 10, 3]) + hello + b"".join(bytes([13, i | 0x20]) for i in range(18)) + bytes([0, 1, 30]),
        "busy": bytes([0]) + b"".join(bytes([3, i, 6, i, i, 1]) for i in range(4)),
        "dropped": bytes([0]) + hello + b"".join(bytes([14, i]) for i in range(18)),
        "no-key": bytes([1, 1, 0, 0, 0]) + hello,
        "other-key": bytes([1, 1, 0, 0x10, 0]) + hello,
        "same-key": bytes([1, 1, 0, 0x20, 0]) + hello,
        "version": bytes([0, 3, 0, 5, 0, 0x30, 1, 2, 1, 3, 0, 0, 0]),
        "strangers": bytes([0]) + b"".join(bytes([1, i, 1, i, 3, i, 0, 1, 6]) for i in range(24)),
        "one-address": bytes([0]) + b"".join(bytes([1, i, 1, 7, 3, i, 0, 1, 6]) for i in range(24)),
        "silent": bytes([0]) + hello + bytes([0, 1, 255]) * 3,
        "takes-nothing": bytes([0, 2, 0, 0x80, 0, 60]) + hello + b"".join(bytes([11, i, 9]) for i in range(18)) + bytes([8, 0, 11, 2, 0, 0xC0]),
        "one-address-of-many": bytes([0]) + b"".join(bytes([1, i, 1, i, 3, i]) for i in range(7)) +
        b"".join(bytes([1, i, 1, 7, 3, i, 0, 1, 6]) for i in range(7, 20)),
        "contradiction": bytes([0]) + hello + bytes([5, 0, 0, 5, 2, 36]) + tuples,
        "goes": bytes([0]) + hello + bytes([9, 0, 15, 0]),
    }
    for name, data in servers.items():
        save("server", name, data)


def between():
    """Op-codes of tls.c and relay.c."""
    talk = bytes([2, 3, 232, 0x82, 78, 32]) + bytes([3, 0x83]) * 6
    for name, keys in (("no-keys", 0), ("same-key", 0x11), ("other-key", 0x21), ("key-needed", 0x10), ("key-not-there", 1)):
        save("tls", name, bytes([keys]) + talk)
    save("tls", "stranger", bytes([0, 4, 0, 3]) + b"abc" + bytes([0x80]))
    save("tls", "half-a-hello", bytes([0, 4, 0, 9, 0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 0x80]))
    save("tls", "a-long-hello", bytes([0, 4, 0, 29, 0x16, 3, 1, 0x40, 0, 1, 2, 1, 0x3F]) + bytes(20) + bytes([0x80]))
    for name, op in (("lost", 5), ("changed", 6), ("twice", 7)):
        for number in range(4):
            save("tls", f"{name}-{number}", bytes([0x11]) + bytes([3] * number) + bytes([0, op, 15, 255, 0, 40, 1, 0x80]) + talk)

    syn_ack = bytes([6, 3, 0xC0, 1, 0, 0, 0, 0, 0, 0])
    data = bytes([6, 3, 0x10, 2, 3, 133, 0, 9, 0, 100])
    hellos = b"".join(bytes([1, i]) for i in (1, 2))
    save("relay", "a-flow", bytes([9, 9, 3]) + hellos + syn_ack + data * 3 + bytes([5, 255, 255]))
    save("relay", "merged", bytes([9, 3, 3]) + hellos + syn_ack + data * 20)
    save("relay", "offered", bytes([9, 9, 3]) + hellos + data * 5)
    save("relay", "claimed", bytes([9, 9, 0]) + hellos + bytes([3, 3, 11, 3, 12, 3, 4, 3]) + data)
    save("relay", "gone", bytes([9, 9, 3]) + hellos + syn_ack + bytes([2]) + data + bytes([1, 1, 0x80, 120]) + data)
    save("relay", "many", bytes([9, 9, 3]) + b"".join(bytes([1, i]) for i in range(20)) + bytes([2, 18, 34, 1, 18, 1, 19]) + data)


def main():
    frames()
    options()
    channels()
    reassemblies()
    channel_ends()
    between()


main()
