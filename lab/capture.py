# SPDX-License-Identifier: BSD-2-Clause
"""capture.py - made-up captures: conversations over TCP at times that are given, as pcap or pcapng

Times are seconds, as floats or as Fractions; in a file they count from EPOCH. A frame is (time, bytes) or (time, bytes, length on
the wire) where the capture cut it. Only the standard library is used.
"""

import ipaddress
import struct

ETHERNET, RAW = 1, 101
EPOCH = 1_700_000_000
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ROUND_TRIP = 0.0002  # between client and server, in a handshake and for an acknowledgement
SEGMENT = 1400


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF ^ total


def ip_packet(src, dst, segment):
    """@src, @dst: (address, port); @segment: TCP with a checksum of zero."""
    here, there = (ipaddress.ip_address(side[0]).packed for side in (src, dst))
    if len(here) == 16:
        pseudo = here + there + struct.pack(">II", len(segment), 6)
        head = struct.pack(">IHBB", 0x60000000, len(segment), 6, 64) + here + there
    else:
        pseudo = here + there + struct.pack(">HH", 6, len(segment))
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, 6, 0) + here + there
        head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    return head + segment[:16] + struct.pack(">H", checksum(pseudo + segment)) + segment[18:]


def ethernet(packet):
    return bytes.fromhex("020000000002 020000000001") + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00") + packet


class Conversation:
    """A client and its server; what happens is said in the order of time. .frames is what a capture between both sees.

    .said: the client's bytes
    """

    def __init__(self, client, server, isn=1000):
        self.client, self.server = client, server
        self.seq, self.ack = isn, isn + 500000
        self.frames, self.said = [], b""

    def _frame(self, at, src, dst, seq, ack, flags, payload=b""):
        head = struct.pack(">HHIIBBHHH", src[1], dst[1], seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 5 << 4, flags, 64000, 0, 0)
        self.frames.append((at, ethernet(ip_packet(src, dst, head + payload))))

    def up(self, at, flags, payload=b"", seq=None):
        """A segment of the client."""
        self._frame(at, self.client, self.server, self.seq if seq is None else seq, self.ack if flags & ACK else 0, flags, payload)

    def down(self, at, flags, payload=b""):
        """A segment of the server."""
        self._frame(at, self.server, self.client, self.ack, self.seq, flags, payload)

    def open(self, at):
        """The handshake; it is complete, and the server has accepted, at the time @at."""
        self.up(at - ROUND_TRIP, SYN)
        self.seq += 1
        self.down(at - ROUND_TRIP / 2, SYN | ACK)
        self.ack += 1
        self.up(at, ACK)
        return self

    def say(self, at, data, lost=()):
        """The client says something, at once; @lost: numbers of the segments that the capture has not."""
        for i in range(0, len(data), SEGMENT):
            part = data[i:i + SEGMENT]
            if i // SEGMENT not in lost:
                self.up(at, PSH | ACK, part)
            self.seq += len(part)
        self.said += data
        return self

    def hear(self, at, data):
        """The server says something, and the client acknowledges it."""
        self.down(at, PSH | ACK, data)
        self.ack += len(data)
        self.up(at + ROUND_TRIP / 2, ACK)
        return self

    def turn(self, at, data, answer=b"ok\n"):
        return self.say(at, data).hear(at + ROUND_TRIP, answer)

    def close(self, at):
        """The client closes, then the server."""
        self.up(at, FIN | ACK)
        self.seq += 1
        self.down(at + ROUND_TRIP / 2, FIN | ACK)
        self.ack += 1
        self.up(at + ROUND_TRIP, ACK)
        return self

    def reset(self, at):
        self.up(at, RST | ACK)
        return self


def merged(*conversations):
    """All their frames, in the order of time."""
    return sorted((frame for c in conversations for frame in c.frames), key=lambda frame: frame[0])


def _records(frames):
    for at, frame, *wire in frames:
        yield round((EPOCH + at) * 1_000_000_000), frame, wire[0] if wire else len(frame)


def pcap(frames, link=ETHERNET, nano=True, order="<"):
    """The bytes of a capture file; @order: "<" or ">", the byte order of the machine that wrote it."""
    data = [struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)]
    for ns, frame, wire in _records(frames):
        data.append(struct.pack(order + "IIII", ns // 1_000_000_000, ns % 1_000_000_000 // (1 if nano else 1000), len(frame), wire))
        data.append(frame)
    return b"".join(data)


def _block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))


def pcapng(*interfaces, resolution=9):
    """A section with an interface for each (link type, frames), one after another; @resolution: 10^-N s is a tick."""
    data = [_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))]
    for link, _ in interfaces:
        data.append(_block(1, struct.pack("<HHI", link, 0, 262144) + struct.pack("<HHB3x", 9, 1, resolution) + struct.pack("<HH", 0, 0)))
    for number, (_, frames) in enumerate(interfaces):
        for ns, frame, wire in _records(frames):
            ticks = ns // 10 ** (9 - resolution)
            data.append(_block(6, struct.pack("<IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), wire) + frame))
    return b"".join(data)


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)
    return path
