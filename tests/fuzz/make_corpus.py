#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""make_corpus.py - write the seeds of the fuzzers of src/wire into corpus/; run by hand when a format changes

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
        "text": batch(11, b"hello"),
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


def main():
    frames()
    options()
    channels()
    reassemblies()


main()
