# SPDX-License-Identifier: BSD-2-Clause
"""test_wire.py - the lab's wire does to frames what it was told to, no more and no less

    a 10.3.0.1, fd03::1 [eth0] ===== [end-a  wire  end-b] ===== [eth0] 10.3.0.2, fd03::2 b

Neighbours are known from the start, so the wire sees the frames of the test and no others: the same seed meets the same frames.
Times are the kernel's stamps at the receiver, and the sender's clock just before a frame is sent.
"""

import contextlib
import hashlib
import os
import socket
import statistics
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.environ.get("TCPCOPY_SOURCE") or os.path.join(os.path.dirname(__file__), "..", ".."), "lab"))

from lab import Lab, cpus  # pylint: disable=wrong-import-position
from wire import Wire  # pylint: disable=wrong-import-position

SO_TIMESTAMPNS = 35
HEADERS = 14 + 20 + 8  # Ethernet, IPv4, UDP: what the wire counts besides a datagram's payload
MACS = {"a": "02:00:00:00:00:0a", "b": "02:00:00:00:00:0b"}
ADDRESSES = {"a": ("10.3.0.1", "fd03::1"), "b": ("10.3.0.2", "fd03::2")}


class Line:
    """Two hosts and the wire between them. Runs of .exchange() use one socket on either side."""

    def __init__(self, lab):
        self.hosts = {name: lab.host(name) for name in "ab"}
        self.wire = Wire(lab, "wire", cpus()[1])
        for name, host in self.hosts.items():
            # no router solicitations, no neighbour discovery
            host.sysctl("net.ipv6.conf.default.router_solicitations=0", "net.ipv6.conf.default.accept_dad=0",
                        "net.ipv6.conf.default.addr_gen_mode=1", "net.ipv4.ping_group_range=0 0")
            self.wire.plug(name, host, "eth0", *(f"{ip}/{64 if ':' in ip else 24}" for ip in ADDRESSES[name]))
            host.link("set", "eth0", "address", MACS[name])
        for name, other in ("ab", "ba"):
            for ip in ADDRESSES[other]:
                self.hosts[name].run("ip", "neigh", "add", ip, "lladdr", MACS[other], "dev", "eth0", "nud", "permanent")
        # what joining multicast groups has to say is said
        time.sleep(1.5)

    def udp(self, name):
        s = self.hosts[name].socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        s.bind((ADDRESSES[name][0], 7))
        s.settimeout(1)
        return s


def collect(s, quiet=0.5):
    """[(number of the datagram, ns when it arrived)] until nothing has come for a while."""
    s.settimeout(quiet)
    got = []
    with contextlib.suppress(socket.timeout):
        while True:
            data, controls, _, _ = s.recvmsg(2048, 64)
            seconds, ns = struct.unpack("qq", controls[0][2])
            got.append((struct.unpack_from("!I", data)[0], seconds * 10**9 + ns))
    return got


def send(line, n, size=100, pause=0.0, way="ab"):
    """Send n datagrams; return ({number: ns when it was sent}, what collect() got)."""
    sender, receiver = line.udp(way[0]), line.udp(way[1])
    with sender, receiver:
        sender.connect((ADDRESSES[way[1]][0], 7))
        sent = {}
        for i in range(n):
            sent[i] = time.time_ns()
            sender.send(struct.pack("!I", i) + bytes(size - 4))
            if pause:
                time.sleep(pause)
        return sent, collect(receiver)


def transmit(s, data):
    with s:
        s.sendall(data)


def upload(line, ip, port, data, way="ab"):
    """Seconds that a TCP connection took to bring all of the data; the receiver's bytes must be the sender's."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with line.hosts[way[1]].socket(family, socket.SOCK_STREAM) as listener, line.hosts[way[0]].socket(family, socket.SOCK_STREAM) as sender:
        listener.bind((ip, port))
        listener.listen()
        sender.connect((ip, port))
        receiver, _ = listener.accept()
        thread = threading.Thread(target=transmit, args=(sender, data))
        began = time.monotonic()
        thread.start()
        chunks = []
        with receiver:
            receiver.settimeout(20)
            while chunk := receiver.recv(1 << 20):
                chunks.append(chunk)
        took = time.monotonic() - began
        thread.join()
    assert hashlib.sha256(b"".join(chunks)).digest() == hashlib.sha256(data).digest()
    return took


@contextlib.contextmanager
def line():
    with Lab(print) as lab:
        yield Line(lab)


def test_a_wire_without_settings_brings_every_frame_in_order_both_ways():
    with line() as net:
        net.wire.start()
        for way in ("ab", "ba"):
            _, got = send(net, 5000, way=way)
            assert [number for number, _ in got] == list(range(5000))
        counts = net.wire.stop()
        for way in ("ab", "ba"):
            assert counts[way]["frames"] == counts[way]["sent"] == 5000
            assert [counts[way][name] for name in ("lost", "queue_full", "no_room", "kernel_drops", "not_sent")] == [0] * 5


def test_the_share_that_is_lost_is_what_was_asked_and_the_seed_repeats_it():
    with line() as net:
        arrived = []
        for seed in (7, 7, 8):
            net.wire.start(ab={"loss": 10}, seed=seed)
            _, got = send(net, 10000)
            arrived.append([number for number, _ in got])
            # four standard deviations of 10,000 throws are 120
            assert 8880 <= len(got) <= 9120
            assert net.wire.stop()["ab"]["lost"] == 10000 - len(got)
        assert arrived[0] == arrived[1] != arrived[2]
        net.wire.start(ab={"loss": 10})
        _, got = send(net, 1000, way="ba")
        assert len(got) == 1000
        net.wire.stop()


def test_a_delay_is_kept_within_a_millisecond_each_way_by_itself():
    with line() as net:
        net.wire.start(ab={"delay": "25ms"}, ba={"delay": "5ms"})
        for way, ms in (("ab", 25), ("ba", 5)):
            sent, got = send(net, 500, pause=0.002, way=way)
            took = [(at - sent[number]) / 1e6 for number, at in got]
            assert len(took) == 500
            assert min(took) >= ms
            assert statistics.median(took) < ms + 0.5
            # the others: this process, or the wire, had to wait for a CPU
            assert sum(t < ms + 1 for t in took) >= 450
        # there and back, by the kernel's own echo
        with net.hosts["a"].socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as ping:
            ping.settimeout(5)
            took = []
            for i in range(50):
                began = time.monotonic()
                ping.sendto(struct.pack("!BBHHH", 8, 0, 0, 0, i), (ADDRESSES["b"][0], 0))
                ping.recv(100)
                took.append((time.monotonic() - began) * 1e3)
        assert 30 <= statistics.median(took) < 31
        net.wire.stop()


def test_jitter_spreads_the_delay_and_keeps_the_order():
    with line() as net:
        net.wire.start(ab={"delay": "5ms", "jitter": "10ms"})
        sent, got = send(net, 300, pause=0.012)
        assert [number for number, _ in got] == list(range(300))
        took = [(at - sent[number]) / 1e6 for number, at in got]
        assert 5 <= min(took) < 6
        assert 14 < statistics.quantiles(took, n=50)[-1] < 16
        assert 9 < statistics.median(took) < 11
        net.wire.stop()


def test_frames_that_are_held_are_overtaken_and_others_come_twice():
    with line() as net:
        net.wire.start(ab={"reorder": 5, "hold": "3ms", "duplicate": 2})
        _, got = send(net, 5000, pause=0.0002)
        counts = net.wire.stop()["ab"]
        numbers = [number for number, _ in got]
        assert len(numbers) == 5000 + counts["duplicated"]
        assert set(numbers) == set(range(5000))
        # four standard deviations
        assert 190 <= counts["held"] <= 310
        assert 60 <= counts["duplicated"] <= 140
        highest, overtaken = -1, set()
        for number in numbers:
            if number < highest:
                overtaken.add(number)
            highest = max(highest, number)
        # one that is held alone, at a moment without others behind it, is not
        assert 0.8 * counts["held"] <= len(overtaken) <= counts["held"]


def test_the_rate_is_what_was_asked():
    with line() as net:
        for megabits, n in ((20, 2000), (200, 10000)):
            net.wire.start(ab={"rate": megabits, "queue": "64m"})
            _, got = send(net, n, size=1472)
            counts = net.wire.stop()["ab"]
            assert len(got) == n
            seconds = (got[-1][1] - got[0][1]) / 1e9
            measured = (n - 1) * (1472 + HEADERS) * 8 / seconds / 1e6
            print(f"{megabits} Mbit/s: measured {measured:.1f}, {counts['lag_mean_us']} us late on average, at most {counts['lag_max_us']}")
            assert 0.99 * megabits <= measured <= 1.01 * megabits


def test_a_frame_that_finds_the_queue_full_is_dropped():
    with line() as net:
        net.wire.start(ab={"rate": 1, "queue": "32k"})
        _, got = send(net, 100, size=1000)
        counts = net.wire.stop()["ab"]
        assert counts["queue_full"] == 100 - len(got)
        # a burst of 100 takes less time than two frames at a megabit
        fit = 32768 // (1000 + HEADERS)
        assert fit <= len(got) <= fit + 2
        assert [number for number, _ in got[:fit]] == list(range(fit))


def test_tcp_with_super_frames_passes_unharmed_over_ipv4_and_ipv6():
    data = os.urandom(1 << 20) * 32
    with line() as net:
        net.wire.start(ab={"delay": "1ms", "loss": 0.1, "reorder": 0.1, "duplicate": 0.1}, ba={"delay": "1ms"})
        for ip in ADDRESSES["b"]:
            upload(net, ip, 8000, data)
        counts = net.wire.stop()
        assert counts["ab"]["super_frames"] > 100, "the devices made no super-frames: this test proves nothing"
        assert counts["ab"]["not_cut"] == counts["ab"]["cut_short"] == 0
        # so many frames as Ethernet would need
        assert counts["ab"]["frames"] > 2 * len(data) / 1460


def test_a_gigabit_of_tcp_leaves_the_wire_time_to_spare():
    data = bytes(100 << 20)
    with line() as net:
        net.wire.start(ab={"rate": 1000, "queue": "4m", "delay": "1ms"}, ba={"rate": 1000, "delay": "1ms"})
        took = upload(net, ADDRESSES["b"][0], 8000, data)
        cpu = net.wire.process.cpu_ns()
        counts = net.wire.stop()
        frames = counts["ab"]["frames"] + counts["ba"]["frames"]
        print(f"{len(data) * 8 / took / 1e6:.0f} Mbit/s of payload; {cpu / frames:.0f} ns of CPU a frame; "
              f"{counts['ab']['lag_mean_us']} us late on average, at most {counts['ab']['lag_max_us']}")
        # How fast it went is a question of who else wants the CPU; how much time the wire takes for it is not. A gigabit is 82,500 frames
        # of 1514 bytes a second, and the receiver's kernel works at the wire's expense.
        assert counts["ab"]["frames"] > len(data) / 1460
        assert cpu / frames < 1e9 / 82500
