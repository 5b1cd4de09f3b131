#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""make_pcaps.py - write the captures of the suite golden, and beside each what must be made of it

Run by hand when a case is added; the files are committed. The expected text comes from the arguments that a packet was made of,
never from the program that is tested. Only the standard library is used.
"""

import ipaddress
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
ETHERNET, RAW, NULL, LOOP, SLL, SLL2 = 1, 101, 0, 108, 113, 276

TS = bytes([1, 1, 8, 10]) + struct.pack(">II", 7000, 8000)
FLAGS = "FSRPAUEC"


def pattern(n, first=0):
    return bytes((first + i * 7) & 0xFF for i in range(n))


def checksum(data):
    total = 0
    for i in range(0, len(data), 2):
        total += data[i] << 8 | (data[i + 1] if i + 1 < len(data) else 0)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


class Tcp:
    """A TCP segment from the client to the server, and the words for it; .told overrides what the options are expected to read as."""

    def __init__(self, flags="A", options=b"", payload=b"", told="", seq=1000, ack=2000, win=500, urg=0, v6=False, words=None):
        self.v6, self.flags, self.payload, self.told = v6, flags, payload, told
        self.seq, self.ack, self.win, self.urg = seq, ack, win, urg
        self.src, self.dst = (("2001:db8::1", "2001:db8::2") if v6 else ("10.0.0.1", "10.0.0.2"))
        bits = sum(1 << FLAGS.index(f) for f in flags)
        words = (20 + len(options)) // 4 if words is None else words
        self.bytes = struct.pack(">HHIIBBHHH", 40000, 80, seq, ack, words << 4, bits, win, 0xABCD, urg) + options + payload

    def used(self, link=0, length=None, got=None):
        """The expected words; @length and @got: payload bytes on the wire and captured, where they are not the payload's."""
        at = (lambda a: f"[{a}]") if self.v6 else str
        got = self.payload if got is None else self.payload[:got]
        length = len(self.payload) if length is None else length
        flags = "".join(f for f in reversed(FLAGS) if f in self.flags)
        return (f"used {at(self.src)}:40000 > {at(self.dst)}:80" + (f" link {link}" if link else "") +
                f" {flags} seq {self.seq} ack {self.ack} win {self.win}" + (f" urg {self.urg}" if self.urg else "") +
                f" len {length} got {len(got)} sum {checksum(got):04x}" + (f" <{self.told}>" if self.told else ""))


def packed(address):
    return ipaddress.ip_address(address).packed


def ipv4(body, options=b"", part=0x4000, ident=7, proto=6, total=None, words=None, src="10.0.0.1", dst="10.0.0.2"):
    words = 5 + len(options) // 4 if words is None else words
    total = 20 + len(options) + len(body) if total is None else total
    head = struct.pack(">BBHHHBBH", 0x40 | words, 0, total, ident, part, 64, proto, 0) + packed(src) + packed(dst)
    head = head[:10] + struct.pack(">H", 0xFFFF ^ checksum(head + options)) + head[12:]
    return head + options + body


def ipv6(body, kind=6, length=None, src="2001:db8::1", dst="2001:db8::2"):
    length = len(body) if length is None else length
    return struct.pack(">IHBB", 0x60000000, length, kind, 64) + packed(src) + packed(dst) + body


def ip(segment):
    return ipv6(segment.bytes) if segment.v6 else ipv4(segment.bytes)


def ethernet(packet, *types):
    """@types: the Ethernet type, or tags as pairs (type, value) and then the type; by default that of the packet's version."""
    types = types or ((0x86DD if packet[0] >> 4 == 6 else 0x0800),)
    head = bytes.fromhex("020000000002 020000000001")
    for t in types:
        head += struct.pack(">HH", *t) if isinstance(t, tuple) else struct.pack(">H", t)
    return head + packet


class Capture:
    def __init__(self, name, link, order="<"):
        self.name, self.link, self.order, self.records, self.lines = name, link, order, [], []
        self.books = [0, 0, 0, 0, 0]

    def add(self, frame, told, wire=None, cut=None, wait_ms=1):
        wire = len(frame) if wire is None else wire
        frame = frame if cut is None else frame[:cut]
        self.records.append((wait_ms, frame, wire))
        self.lines.append(f"{len(self.lines) + 1} {told}")

    def write(self):
        data, ms = struct.pack(self.order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, self.link), 0
        for wait_ms, frame, wire in self.records:
            ms += wait_ms
            data += struct.pack(self.order + "IIII", 1700000000 + ms // 1000, ms % 1000 * 1000, len(frame), wire) + frame
        with open(os.path.join(HERE, self.name + ".pcap"), "wb") as f:
            f.write(data)
        seen, dropped, joined, lost, held = self.books
        self.lines.append(f"fragments: seen {seen} dropped {dropped} joined {joined} lost {lost} held {held}")
        with open(os.path.join(HERE, self.name + ".txt"), "w", encoding="ascii") as f:
            f.write("\n".join(self.lines) + "\n")


def conversation(v6):
    """What each link type must carry: a SYN with options, and data with timestamps."""
    syn = bytes([2, 4, 5, 180, 4, 2, 8, 10]) + struct.pack(">II", 7000, 0) + bytes([1, 3, 3, 7])
    return [Tcp("S", syn, told="mss 1460,sackOK,ts 7000 0,ws 7", seq=999, ack=0, win=64240, v6=v6),
            Tcp("PA", TS, pattern(100), told="ts 7000 8000", v6=v6)]


def links():
    heads = {
        "raw": (RAW, lambda v6: b""),
        "null": (NULL, lambda v6: struct.pack("<I", 30 if v6 else 2)),
        "null-big-endian": (NULL, lambda v6: struct.pack(">I", 24 if v6 else 2)),
        "loop": (LOOP, lambda v6: struct.pack(">I", 24 if v6 else 2)),
        "sll": (SLL, lambda v6: struct.pack(">HHH8sH", 0, 1, 6, b"\2\0\0\0\0\1", 0x86DD if v6 else 0x0800)),
        "sll2": (SLL2, lambda v6: struct.pack(">HHIHBB8s", 0x86DD if v6 else 0x0800, 0, 2, 1, 0, 6, b"\2\0\0\0\0\1")),
    }
    for name, (link, head) in heads.items():
        c = Capture(name, link, ">" if name == "null-big-endian" else "<")
        for v6 in (False, True):
            for s in conversation(v6):
                c.add(head(v6) + ip(s), s.used())
        c.add(head(False) + ip(Tcp())[:30], "drop short")
        if name == "sll":
            s = Tcp(payload=b"tagged")
            c.add(struct.pack(">HHH8sHHH", 0, 1, 6, bytes(8), 0x8100, 100, 0x0800) + ip(s), s.used(link=100))
            c.add(struct.pack(">HHH8sH", 0, 1, 6, bytes(8), 0x0004) + bytes(40), "drop not-ip")
        if name in ("null", "loop"):
            c.add(struct.pack("<I" if name == "null" else ">I", 7) + bytes(40), "drop not-ip")
        if name == "raw":
            c.add(bytes(40), "drop not-ip")
        c.write()


def ethernet_frames():
    c = Capture("ethernet", ETHERNET)
    for v6 in (False, True):
        for s in conversation(v6):
            c.add(ethernet(ip(s)), s.used())
    s = Tcp("A")
    c.add(ethernet(ip(s)) + bytes(6), s.used())  # a frame has 60 bytes at least: padding
    s = Tcp("A", payload=b"abc")
    c.add(ethernet(ip(s)) + b"\xaa\xbb\xcc", s.used())
    s = Tcp("A", payload=b"abc", v6=True)
    c.add(ethernet(ip(s)) + b"\xaa\xbb\xcc\xdd", s.used())
    s = Tcp("A", payload=pattern(3000))  # a super-packet, as offload makes them
    c.add(ethernet(ip(s)), s.used())
    s = Tcp("PAEC", TS, b"marked", told="ts 7000 8000")  # ECN
    c.add(ethernet(ip(s)), s.used())
    s = Tcp("SEC", seq=1)
    c.add(ethernet(ip(s)), s.used())
    s = Tcp("AU", payload=b"!", urg=1)
    c.add(ethernet(ip(s)), s.used())
    s = Tcp("RA", seq=0xFFFFFFFF, ack=0xFFFFFFFF, win=65535)
    c.add(ethernet(ip(s)), s.used())
    s = Tcp("FA", payload=b"last")
    c.add(ethernet(ip(s)), s.used())
    c.add(ethernet(bytes(28), 0x0806), "drop not-ip")  # ARP
    c.add(ethernet(bytes(38), 38), "drop not-ip")  # 802.3 with a length
    c.add(ethernet(b"\0\0\x11\x40" + ip(s), 0x8847), "drop link")  # MPLS
    c.add(ethernet(b"\x11\0\0\1\0\x2a\0\x21" + ip(s), 0x8864), "drop link")  # PPPoE
    c.add(ethernet(ip(s), 0x86DD), "drop bad-ip")  # the type says IPv6, the header IPv4
    c.add(ethernet(ipv4(bytes(20), proto=17)), "drop not-tcp")
    c.add(ethernet(ipv6(bytes(20), 17)), "drop not-tcp")
    c.add(ethernet(ipv4(bytes(20), proto=47)), "drop not-tcp")
    c.add(ethernet(ipv6(bytes(20), 59)), "drop not-tcp")
    c.add(ethernet(ipv6(Tcp().bytes, src="::ffff:10.0.0.1")), "drop bad-ip")
    c.write()


def vlans():
    c = Capture("vlan", ETHERNET)
    for v6 in (False, True):
        s, kind = Tcp("PA", payload=b"tagged", v6=v6), 0x86DD if v6 else 0x0800
        c.add(ethernet(ip(s), (0x8100, 100), kind), s.used(link=100))
        c.add(ethernet(ip(s), (0x8100, 0xE000 | 100), kind), s.used(link=100))  # with a priority
        c.add(ethernet(ip(s), (0x8100, 0xE000), kind), s.used())  # a priority alone
        c.add(ethernet(ip(s), (0x88A8, 512), (0x8100, 100), kind), s.used(link=512 << 12 | 100))
        c.add(ethernet(ip(s), (0x9100, 512), (0x8100, 100), kind), s.used(link=512 << 12 | 100))
        c.add(ethernet(ip(s), (0x8100, 512), (0x8100, 100), kind), s.used(link=512 << 12 | 100))
        c.add(ethernet(ip(s), (0x88A8, 1), (0x8100, 2), (0x8100, 3), kind), "drop link")
        c.add(ethernet(ip(s), (0x8100, 100), 0x0806), "drop not-ip")
        c.add(ethernet(b"", (0x8100, 100))[:16], "drop short")
    c.write()


def truncated():
    c = Capture("truncated", ETHERNET)
    for v6 in (False, True):
        s = Tcp("PA", TS, pattern(1000), told="ts 7000 8000", v6=v6)
        frame = ethernet(ip(s))
        headers = len(frame) - 1000
        for cut in (0, 13, 14, 15, headers - 33, headers - 32, headers - 13, headers - 12, headers - 1):
            c.add(frame, "drop short", cut=cut)
        for got in (0, 1, 999, 1000):
            c.add(frame, s.used(got=got), cut=headers + got)
        # the sender's stack gave more to the device than the file says was on the wire: the IP header is believed
        c.add(frame, s.used(got=500), cut=headers + 500, wire=headers + 500)
    c.write()


def big_tcp():
    """Lengths of 0 in the IP header (TSO before it is known, BIG TCP), and the jumbo payload option."""
    c = Capture("big-tcp", ETHERNET)
    s = Tcp("PA", TS, pattern(100), told="ts 7000 8000")
    c.add(ethernet(ipv4(s.bytes, total=0)), s.used())
    c.add(ethernet(ipv4(s.bytes, total=0)), s.used(length=200000), wire=14 + 52 + 200000)
    s = Tcp("PA", TS, pattern(100), told="ts 7000 8000", v6=True)
    c.add(ethernet(ipv6(s.bytes, length=0)), s.used())
    c.add(ethernet(ipv6(s.bytes, length=0)), s.used(length=200000), wire=14 + 72 + 200000)
    jumbo = lambda n: bytes([6, 0, 0xC2, 4]) + struct.pack(">I", n)
    c.add(ethernet(ipv6(jumbo(8 + 32 + 150000) + s.bytes, 0, 0)), s.used(length=150000), wire=14 + 80 + 150000)
    # where option and wire differ, the option says it
    c.add(ethernet(ipv6(jumbo(8 + 32 + 150000) + s.bytes, 0, 0)), s.used(length=150000), wire=14 + 80 + 100)
    c.add(ethernet(ipv6(jumbo(65535) + s.bytes, 0, 0)), "drop bad-ip")
    # beside a length in the header the option says nothing
    c.add(ethernet(ipv6(jumbo(150000) + s.bytes, 0)), s.used())
    s = Tcp("A", v6=True)
    c.add(ethernet(ipv6(b"", 59, 0)), "drop not-tcp")  # no next header, and indeed no bytes
    c.write()


def ip_options():
    c = Capture("ip-options", RAW)
    s = Tcp("PA", TS, b"behind options", told="ts 7000 8000")
    c.add(ipv4(s.bytes, bytes([148, 4, 0, 0])), s.used())  # router alert
    c.add(ipv4(s.bytes, bytes([7, 39, 4] + [0] * 36 + [0])), s.used())  # record route, all the room
    c.add(ipv4(s.bytes, bytes([0, 1, 2, 3])), s.used())  # what the options say is not looked at
    c.add(ipv4(s.bytes, words=4), "drop bad-ip")
    c.add(ipv4(s.bytes, words=0), "drop bad-ip")
    c.add(ipv4(s.bytes, total=19), "drop bad-ip")
    c.add(ipv4(b"", bytes(8), total=27), "drop bad-ip")
    c.add(ipv4(s.bytes, total=20 + 19), "drop bad-tcp")
    c.add(ipv4(s.bytes, total=20 + 31), "drop bad-tcp")
    c.add(ipv4(s.bytes, total=20), "drop bad-tcp")
    c.add(ipv4(s.bytes, total=20 + 32 + 3), s.used(length=3, got=3))
    c.write()


def ipv6_extensions():
    c = Capture("ipv6-extensions", RAW)
    s = Tcp("PA", TS, b"behind headers", told="ts 7000 8000", v6=True)
    head = lambda kind, n=8: bytes([kind, n // 8 - 1]) + bytes(n - 2)
    ah = lambda kind: bytes([kind, 4]) + bytes(22)
    atomic = lambda kind: bytes([kind, 0, 0, 0, 0, 0, 0, 9])
    c.add(ipv6(head(6) + s.bytes, 0), s.used())
    c.add(ipv6(head(6, 24) + s.bytes, 43), s.used())
    c.add(ipv6(head(6, 2048) + s.bytes, 60), s.used())
    c.add(ipv6(ah(6) + s.bytes, 51), s.used())
    c.add(ipv6(atomic(6) + s.bytes, 44), s.used())  # RFC 6946
    c.add(ipv6(head(60) + head(43) + head(44) + atomic(51) + ah(60) + head(6) + s.bytes, 0), s.used())
    c.add(ipv6(head(60) * 7 + head(6) + s.bytes, 60), s.used())
    c.add(ipv6(head(60) * 8 + head(6) + s.bytes, 60), "drop bad-ip")
    c.add(ipv6(head(0) + head(6) + s.bytes, 60), "drop bad-ip")
    c.add(ipv6(head(50) + s.bytes, 60), "drop not-tcp")
    c.add(ipv6(head(17) + s.bytes, 60), "drop not-tcp")
    c.add(ipv6(bytes([6, 9]) + bytes(30), 60), "drop bad-ip")
    c.add(ipv6(head(6) + s.bytes, 60), "drop short", cut=44)
    c.add(ipv6(head(6, 64) + s.bytes, 60), "drop short", cut=60)
    c.add(ipv6(head(6, 24), 60), "drop bad-tcp")
    c.write()


def tcp_options():
    c = Capture("tcp-options", RAW)

    def good(options, told, flags="A"):
        s = Tcp(flags, options, b"x", told)
        c.add(ip(s), s.used())

    def bad(options):
        c.add(ip(Tcp("A", options, b"x")), "drop bad-option")

    good(TS, "ts 7000 8000")
    good(TS[2:] + bytes([1, 1]), "ts 7000 8000")
    good(bytes(4), "")
    good(bytes([1] * 40), "")
    good(bytes([2, 4, 0, 0]), "mss 0", "S")
    good(bytes([3, 3, 14, 1]), "ws 14", "S")
    good(bytes([3, 3, 200, 1]), "ws 14", "S")
    blocks = lambda n: b"".join(struct.pack(">II", 100 * i, 100 * i + 50) for i in range(n))
    words = lambda n: ",".join(f"sack {100 * i}:{100 * i + 50}" for i in range(n))
    for n in (1, 2, 3, 4):
        good(bytes([1, 1, 5, 2 + 8 * n]) + blocks(n), words(n))
    good(TS + bytes([1, 1, 5, 26]) + blocks(3), "ts 7000 8000," + words(3))
    good(bytes([30, 4, 1, 1]), "mptcp", "S")  # MP_CAPABLE
    good(bytes([30, 12, 0x10, 2]) + bytes(8), "mpjoin", "S")  # MP_JOIN
    good(bytes([30, 8, 0x20, 1]) + bytes(4), "mptcp")  # DSS
    good(bytes([34, 8]) + bytes(6), "")  # fast open
    good(bytes([254, 6, 1, 2, 3, 4, 2, 4, 5, 180, 1, 1]), "mss 1460", "S")
    good(bytes([2, 4, 5, 180, 0, 8, 0, 0]), "mss 1460", "S")  # behind the end of the list anything may stand
    bad(bytes([8, 0, 0, 0]))
    bad(bytes([8, 1, 0, 0]))
    bad(bytes([254, 0, 0, 0]))
    bad(bytes([1, 1, 1, 8]))
    bad(bytes([8, 10, 0, 0]))
    bad(bytes([2, 3, 0, 1]))
    bad(bytes([3, 4, 0, 1]))
    bad(bytes([4, 3, 0, 1]))
    bad(bytes([5, 2, 1, 1]))
    bad(bytes([5, 9]) + bytes(10))
    bad(bytes([8, 12]) + bytes(10))
    bad(bytes([30, 2, 1, 1]))
    for words in range(5):
        c.add(ip(Tcp(words=words)), "drop bad-tcp")
    c.add(ip(Tcp(words=15)), "drop bad-tcp")
    c.write()


def parts_v4(segment, *pieces, ident=7, proto=6, **more):
    """Fragments of @segment in IPv4: @pieces are (offset, length) in bytes, in the order of sending."""
    body = segment.bytes
    for at, length in pieces:
        length = min(length, len(body) - at)
        yield ipv4(body[at:at + length], part=at // 8 | (0x2000 if at + length < len(body) else 0), ident=ident, proto=proto, **more)


def fragments_v4():
    c = Capture("fragments-v4", ETHERNET)

    def join(segment, parts, told=None, **more):
        parts = list(parts)
        for p in parts[:-1]:
            c.add(ethernet(p), "held", **more)
        c.add(ethernet(parts[-1]), told or segment.used(), **more)
        c.books[0] += len(parts)
        c.books[2] += len(parts)

    s = Tcp("PA", TS, pattern(3000), told="ts 7000 8000")
    a, b, d = (0, 1480), (1480, 1480), (2960, 1480)
    join(s, parts_v4(s, a, b, d))
    join(s, parts_v4(s, d, b, a))
    join(s, parts_v4(s, b, d, a, ident=8))
    join(s, parts_v4(s, a, a, b, b, a, d, ident=9))  # duplicates of the network
    join(s, parts_v4(s, a, b, d, ident=10, options=bytes([148, 4, 0, 0])))
    join(s, parts_v4(s, *[(at, 8) for at in range(0, len(s.bytes), 8)]))

    # two datagrams whose fragments alternate
    t = Tcp("PA", TS, pattern(2000, 99), told="ts 7000 8000")
    one, two = list(parts_v4(s, a, b, d, ident=20)), list(parts_v4(t, a, b, ident=21))
    for p, told in ((one[0], "held"), (two[1], "held"), (one[2], "held"), (two[0], t.used()), (one[1], s.used())):
        c.add(ethernet(p), told)
    c.books[0] += 5
    c.books[2] += 5

    # overlap: the first copy of a byte wins
    u = Tcp("PA", TS, bytes(3000), told="ts 7000 8000")
    join(s, [next(parts_v4(s, (0, 1480), ident=30)), next(parts_v4(u, (800, 800), ident=30)),
             next(parts_v4(s, (1600, 1200), ident=30)), next(parts_v4(s, (2640, 1480), ident=30))],
         told=Tcp("PA", TS, s.payload[:1448] + bytes(120) + s.payload[1568:], told="ts 7000 8000").used())

    # other protocols take no room; a first part is no part of another VLAN's datagram
    for p in parts_v4(s, a, b, ident=40, proto=17):
        c.add(ethernet(p), "drop not-tcp")
    part = next(parts_v4(s, a, ident=41))
    c.add(ethernet(part, (0x8100, 5), 0x0800), "held")
    c.add(ethernet(part, (0x8100, 6), 0x0800), "held")
    c.books[0] += 2

    # impossible ones: empty, not a multiple of eight, beyond what IP can carry
    for p in (ipv4(b"", part=0x2000), ipv4(bytes(9), part=0x2000), ipv4(bytes(16), part=0x1FFF)):
        c.add(ethernet(p), "drop fragment")
        c.books[0] += 1
        c.books[1] += 1
    # two ends: the whole datagram is given up
    c.add(ethernet(ipv4(bytes(16), part=2, ident=50)), "held")
    c.add(ethernet(ipv4(bytes(16), part=3, ident=50)), "drop fragment")
    c.books = [c.books[0] + 2, c.books[1] + 1, c.books[2], c.books[3] + 1, 0]

    # captured in part: what is known ends there, the length does not
    one, two = list(parts_v4(s, (0, 1480), (1480, 1600), ident=60))
    c.add(ethernet(one), "held", cut=14 + 20 + 32 + 100)
    c.add(ethernet(two), s.used(got=100), cut=60)
    c.books[0] += 2
    c.books[2] += 2

    # too late: both of VLANs 5 and 6 and this first part are given up when the next fragment comes
    part, rest = list(parts_v4(s, (0, 1480), (1480, 1600), ident=70))
    c.add(ethernet(part), "held")
    c.add(ethernet(rest), "held", wait_ms=2001)
    c.books = [c.books[0] + 2, c.books[1], c.books[2], c.books[3] + 3, 1]

    # a rebuilt packet is read like any other
    broken = Tcp("PA", bytes([8, 0, 1, 1]), pattern(100))
    join(broken, parts_v4(broken, (0, 40), (40, 200), ident=80), told="drop bad-option")
    c.write()


def parts_v6(body, *pieces, ident=7, kind=6, before=b"", before_kind=44):
    """Fragments of @body in IPv6, whose first header is of @kind; @before: headers in front of each fragment header."""
    for at, length in pieces:
        length = min(length, len(body) - at)
        head = struct.pack(">BBHI", kind, 0, at | (at + length < len(body)), ident)
        yield ipv6(before + head + body[at:at + length], before_kind)


def fragments_v6():
    c = Capture("fragments-v6", ETHERNET)

    def join(segment, parts, told=None):
        parts = list(parts)
        for p in parts[:-1]:
            c.add(ethernet(p), "held")
        c.add(ethernet(parts[-1]), told or segment.used())
        c.books[0] += len(parts)
        c.books[2] += len(parts)

    s = Tcp("PA", TS, pattern(3000), told="ts 7000 8000", v6=True)
    a, b, d = (0, 1440), (1440, 1440), (2880, 1440)
    join(s, parts_v6(s.bytes, a, b, d))
    join(s, parts_v6(s.bytes, d, b, a))
    join(s, parts_v6(s.bytes, a, a, b, d, ident=0xFFFFFFFF))
    # headers before the fragment header, and headers inside
    route = bytes([44, 0]) + bytes(6)
    join(s, parts_v6(s.bytes, a, b, d, before=route, before_kind=43))
    inside = bytes([6, 1]) + bytes(14)
    join(s, parts_v6(inside + s.bytes, a, b, d, kind=60))
    # a header chain over two fragments: RFC 7112 forbids it to senders, we read it
    join(s, parts_v6(inside + s.bytes, (0, 8), (8, 4000), kind=60))
    # a rebuilt datagram that is a fragment again
    again = struct.pack(">BBHI", 6, 0, 1, 5)
    join(s, parts_v6(again + s.bytes, a, (1440, 4000), kind=44), told="drop bad-ip")

    # overlap with other bytes: all is given up (RFC 5722); what comes after it waits in vain
    other = bytes(len(s.bytes))
    c.add(ethernet(next(parts_v6(s.bytes, (0, 1440), ident=30))), "held")
    c.add(ethernet(next(parts_v6(other, (800, 800), ident=30))), "drop fragment")
    c.add(ethernet(next(parts_v6(s.bytes, (1600, 4000), ident=30))), "held")
    c.books = [c.books[0] + 3, c.books[1] + 1, c.books[2], c.books[3] + 1, 1]

    for p in parts_v6(s.bytes, a, b, ident=40, kind=17):
        c.add(ethernet(p), "drop not-tcp")
    c.write()


# What a replay makes of times: (microseconds, client's port). A disorder, a pause, a clock that was set back by an hour.
MOMENTS = ((3_600_000_000, 40000), (3_600_010_000, 40001), (3_600_009_800, 40002), (3_600_010_100, 40003), (3_605_010_100, 40004),
           (5_000_000, 40005), (5_020_001, 40006))


def moment_packet(port):
    return ipv4(struct.pack(">HHIIBBHHH", port, 80, 1, 1, 5 << 4, 16, 500, 0, 0) + b"hello")


def due_times(speed_permille, limit_us):
    """Nanoseconds after the start for each of MOMENTS, and after the last of them; how often the clock went back."""
    position, latest, steps, dues = 0, MOMENTS[0][0], 0, []
    for at, _ in MOMENTS:
        gap = at - latest
        steps += gap < 0
        if gap > 0 or gap < -1_000_000:
            latest = at
        position += min(max(gap, 0), limit_us)
        dues.append(position * 1000)
    return [due * 1000 // speed_permille for due in dues], dues[-1], steps


def replay_text(name, speed_permille=1000, limit_us=1 << 60, passes=1, count=len(MOMENTS), short=0):
    dues, length, steps = due_times(speed_permille, limit_us)
    lines = []
    for n in range(passes):
        start = n * length * 1000 // speed_permille
        lines += [f"{start + due} {port} hello" for due, (_, port) in list(zip(dues, MOMENTS))[:count]]
    lines.append(f"end: frames {passes * count} steps {passes * steps} short {short}")
    with open(os.path.join(HERE, name + ".txt"), "w", encoding="ascii") as f:
        f.write("\n".join(lines) + "\n")


def pcapng_block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def replays():
    def pcap(magic, order, tick_ns):
        data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, RAW)
        for at, port in MOMENTS:
            packet = moment_packet(port)
            data += struct.pack(order + "IIII", at // 1_000_000, at % 1_000_000 * 1000 // tick_ns, len(packet), len(packet)) + packet
        return data

    ng = pcapng_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    ng += pcapng_block(1, struct.pack("<HHIHHB3xHH", RAW, 0, 262144, 9, 1, 9, 0, 0))
    for at, port in MOMENTS:
        packet = moment_packet(port)
        ng += pcapng_block(6, struct.pack("<IIIII", 0, at * 1000 >> 32, at * 1000 & 0xFFFFFFFF, len(packet), len(packet)) + packet)

    for name, data in (("replay.pcap", pcap(0xA1B2C3D4, "<", 1000)), ("replay-nano-big-endian.pcap", pcap(0xA1B23C4D, ">", 1)),
                       ("replay-nano.pcapng", ng), ("replay-cut.pcap", pcap(0xA1B2C3D4, "<", 1000)[:-1])):
        with open(os.path.join(HERE, name), "wb") as f:
            f.write(data)
    replay_text("replay")
    replay_text("replay-fast", 2000, 1_000_000, 3)
    replay_text("replay-slow", 300)
    replay_text("replay-cut", count=len(MOMENTS) - 1, short=1)


def main():
    replays()
    links()
    ethernet_frames()
    vlans()
    truncated()
    big_tcp()
    ip_options()
    ipv6_extensions()
    tcp_options()
    fragments_v4()
    fragments_v6()


main()
