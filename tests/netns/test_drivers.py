# SPDX-License-Identifier: BSD-2-Clause
"""The capture and deliver drivers against the real kernel, through the program driver_probe (test_drivers.c)

    drv-a  (driver_probe)  va ============= vb  drv-b  (the test: made-up frames, a kernel's TCP, what is on the wire)
           10.77.0.1, fd77::1               10.77.0.2, fd77::2
                                            routes 10.99.0.0/16 and fd99::/16 to drv-a: the copied clients

Sockets are made inside a namespace and used from outside of it: a socket stays where it was made.
"""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import threading
import time

import pytest
from scapy.all import IP, TCP, Dot1Q, Ether, IPv6, Raw

PROBE = os.path.join(os.environ["TCPCOPY_BUILD"], "tests/netns/driver_probe")
A, B = "drv-a", "drv-b"
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
libc = ctypes.CDLL(None, use_errno=True)


def sh(command):
    print("+", command, flush=True)
    subprocess.run(command, shell=True, check=True)


def await_output(command, text, seconds=5):
    end = time.monotonic() + seconds
    while text not in subprocess.run(command, shell=True, capture_output=True, text=True).stdout:
        assert time.monotonic() < end, f"'{command}' never said '{text}'"
        time.sleep(0.02)


@contextlib.contextmanager
def inside(ns):
    """Run in another network namespace: this thread alone."""
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{ns}") as away:
        assert libc.setns(away.fileno(), CLONE_NEWNET) == 0
        try:
            yield
        finally:
            assert libc.setns(home.fileno(), CLONE_NEWNET) == 0


def set_offload(ns, device, on):
    """Segmentation and checksums of a device: ethtool -K DEVICE tx/sg/tso on|off."""
    with inside(ns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for command in (0x17, 0x19, 0x1F) if on else (0x1F, 0x19, 0x17):  # STXCSUM, SSG, STSO
            value = struct.pack("II", command, int(on))
            buffer = ctypes.create_string_buffer(value)
            fcntl.ioctl(s, 0x8946, struct.pack("16sP", device.encode(), ctypes.addressof(buffer)))


def destroy():
    for ns in (A, B):
        subprocess.run(f"ip netns del {ns} 2>/dev/null", shell=True)


def build():
    destroy()
    for ns in (A, B):
        sh(f"ip netns add {ns}")
        sh(f"ip netns exec {ns} sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0")
    sh(f"ip -n {A} link add va address 02:00:00:00:00:0a type veth peer name vb address 02:00:00:00:00:0b netns {B}")
    for ns, dev, n in ((A, "va", 1), (B, "vb", 2)):
        sh(f"ip -n {ns} addr add 10.77.0.{n}/24 dev {dev}")
        sh(f"ip -n {ns} addr add fd77::{n}/64 dev {dev} nodad")
        sh(f"ip -n {ns} link set {dev} up")
        sh(f"ip -n {ns} link set lo up")
    for ns, dev in ((A, "va"), (B, "vb")):  # the carrier of a veth comes up to a second later, and IPv6 with it
        await_output(f"ip -n {ns} -6 addr show dev {dev} scope link -tentative", "fe80::")
    sh(f"ip -n {B} route add 10.99.0.0/16 via 10.77.0.1")
    sh(f"ip -n {B} route add fd99::/16 via fd77::1")


@pytest.fixture(scope="module")
def lab():
    """What stands now: "shared" for tests that leave the network as it is."""
    stands = {"shared": False}
    yield stands
    destroy()


@pytest.fixture
def lan(lab):
    if not lab["shared"]:
        build()
        lab["shared"] = True


@pytest.fixture
def net(lab):
    """A network of its own for a test that changes it."""
    lab["shared"] = False
    build()
    yield
    destroy()


clients = iter(range(2, 250))


def new_client(server):
    """A copied client that no earlier test has used."""
    return f"fd99::1:{next(clients):x}" if ":" in server else f"10.99.1.{next(clients)}"


class Probe:
    """driver_probe in drv-a; .lines(word) are its lines as dicts."""

    def __init__(self, *args, ns=A, prefix=()):
        print("+ driver_probe", *args, flush=True)
        self.proc = subprocess.Popen(["ip", "netns", "exec", ns, *prefix, PROBE, *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.before = []
        self.error = ""
        for line in self.proc.stdout:
            if line.strip() == "ready":
                break
            self.before.append(line.strip())

    def finish(self, timeout=30):
        self.proc.stdin.close()
        # not communicate(): it would pass over what the file object has read ahead
        watchdog = threading.Timer(timeout, self.proc.kill)
        watchdog.start()
        self.out = [line.split() for line in self.proc.stdout.read().splitlines()]
        self.error = self.proc.stderr.read()
        self.proc.wait()
        watchdog.cancel()
        return self

    def lines(self, word):
        return [{k: v if not v.lstrip("-").isdigit() else int(v) for k, v in (p.split("=", 1) for p in line[1:] if "=" in p)} for line in self.out if line[0] == word]

    def stats(self):
        return self.lines("stats")[-1]


def fnv(data):
    h = 2166136261
    for byte in data:
        h = (h ^ byte) * 16777619 & 0xFFFFFFFF
    return h


def raw_socket(ns, device, size=64 << 20):
    with inside(ns):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        s.setsockopt(socket.SOL_SOCKET, 33, size)  # SO_RCVBUFFORCE
        s.setsockopt(socket.SOL_SOCKET, 32, size)  # SO_SNDBUFFORCE
        s.bind((device, 0))
    return s


def frame(i, payload=b"", dport=80, dst="10.77.0.1", tags=()):
    ip = IPv6(src="fd99::1:1", dst=dst) if ":" in dst else IP(src="10.99.1.1", dst=dst)
    link = Ether(src="02:00:00:00:00:0b", dst="02:00:00:00:00:0a")
    for kind, vid in tags:
        link = link / Dot1Q(vlan=vid)
    f = bytes(link / ip / TCP(sport=5000, dport=dport, seq=i, flags="A", ack=1) / Raw(payload))
    for n, (kind, vid) in enumerate(tags):  # the tag's own type stands before it
        f = f[: 12 + 4 * n] + struct.pack("!H", kind) + f[14 + 4 * n :]
    return f


def counters(ns, table):
    text = subprocess.run(["ip", "netns", "exec", ns, "cat", "/proc/net/snmp"], capture_output=True, text=True, check=True).stdout
    names, values = [line.split()[1:] for line in text.splitlines() if line.startswith(table + ":")]
    return dict(zip(names, map(int, values)))


# ---- capture ----


@pytest.mark.parametrize("kind", ["ring", "raw"])
def test_each_frame_is_seen_once_and_only_what_the_filter_asks_for(lan, kind):
    s = raw_socket(B, "vb")
    n = 400
    probe = Probe("capture", "--kind", kind, "--device", "va", "--filter", "tcp and dst port 80 and dst host 10.77.0.1")
    for i in range(n):
        s.send(frame(i, payload=b"%d" % i * (i % 50)))
        s.send(frame(i, dport=81))
    packets = probe.finish().lines("pkt")
    assert [p["seq"] for p in packets] == list(range(n))
    assert [p["digest"] for p in packets] == [fnv(b"%d" % i * (i % 50)) for i in range(n)]
    assert all(p["src"] == "10.99.1.1" and p["len"] == p["have"] for p in packets)
    # stamps are on the monotonic clock, and in order
    at = [p["at_us"] for p in packets]
    assert at == sorted(at) and all(0 <= p["age_us"] < 500000 for p in packets)
    stats = probe.stats()
    assert stats["pkts"] == n and stats["kernel_drops"] == 0 and stats["time_steps"] == 0
    assert not probe.lines("loss")


@pytest.mark.parametrize("server", ["10.77.0.1", "fd77::1"])
def test_super_packets_of_a_real_connection_come_whole(lan, server):
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    data = os.urandom(1 << 20)
    with inside(A):
        listener = socket.create_server((server, 80), family=family)
    with inside(B):
        client = socket.socket(family)
    retransmitted = counters(B, "Tcp")["RetransSegs"]
    probe = Probe("capture", "--device", "va", "--filter", f"tcp and dst port 80 and dst host {server}")
    client.connect((server, 80))
    peer, _ = listener.accept()
    reader = threading.Thread(target=lambda: [None for _ in iter(lambda: peer.recv(1 << 20), b"")])
    reader.start()
    client.sendall(data)
    client.close()
    reader.join()
    packets = probe.finish().lines("pkt")
    isn = next(p["seq"] for p in packets if p["flags"] & 2)
    end = repeats = 0
    for p in (p for p in packets if p["len"] > 0):
        at = (p["seq"] - isn - 1) % 2**32
        assert at <= end, "bytes were not seen"
        assert p["have"] == p["len"] and p["digest"] == fnv(data[at : at + p["len"]])
        repeats += at < end
        end = max(end, at + p["len"])
    assert end == len(data)
    assert repeats <= counters(B, "Tcp")["RetransSegs"] - retransmitted, "a packet was seen twice that was sent once"
    assert max(p["len"] for p in packets) > 20000, "no super-packet was made: the test proves nothing"


def test_frames_that_find_the_ring_full_are_counted_and_told(lan):
    s = raw_socket(B, "vb")
    n = 2000
    f = frame(1, payload=b"x" * 1400)
    probe = Probe("capture", "--device", "va", "--filter", "tcp and dst port 80", "--ring-bytes", 1, "--sleep-ms", 1500)
    for _ in range(n):
        s.send(f)
    stats = probe.finish().stats()
    assert stats["kernel_drops"] > 0
    assert stats["pkts"] + stats["kernel_drops"] == n
    assert sum(loss["count"] for loss in probe.lines("loss")) == stats["kernel_drops"]
    assert stats["used"] == 0  # all read


def test_tags_beside_and_inside_the_frame_make_the_link_id(lan):
    s = raw_socket(B, "vb")
    probe = Probe("capture", "--device", "va", "--filter", "tcp and dst port 80")
    s.send(frame(1))
    s.send(frame(2, tags=[(0x8100, 5)]))
    s.send(frame(3, tags=[(0x88A8, 7), (0x8100, 5)]))
    links = {p["seq"]: p["link"] for p in probe.finish().lines("pkt")}
    assert links == {1: 0, 2: 5, 3: 7 << 12 | 5}


def test_a_user_who_says_vlan_means_the_tag_beside_the_frame(lan):
    s = raw_socket(B, "vb")
    probe = Probe("capture", "--device", "va", "--own-filter", "--filter", "vlan 5 and tcp dst port 80")
    s.send(frame(1))
    s.send(frame(2, tags=[(0x8100, 5)]))
    s.send(frame(3, tags=[(0x8100, 6)]))
    s.send(frame(4, tags=[(0x8100, 5)], dport=81))
    assert [(p["seq"], p["link"]) for p in probe.finish().lines("pkt")] == [(2, 5)]


def test_headers_are_enough_for_the_length_of_the_payload(lan):
    s = raw_socket(B, "vb")
    probe = Probe("capture", "--device", "va", "--filter", "tcp", "--headers-only")
    s.send(frame(1, payload=b"x" * 1400))
    (p,) = probe.finish().lines("pkt")
    assert p["len"] == 1400 and p["have"] == 160 - 54
    assert probe.stats()["kernel_drops"] == 0


def test_a_packet_that_the_snap_length_cuts_is_a_loss_where_it_is_not_asked_for(lan):
    s = raw_socket(B, "vb")
    probe = Probe("capture", "--device", "va", "--filter", "tcp", "--snap", 100)
    s.send(frame(1, payload=b"x" * 10))
    s.send(frame(2, payload=b"x" * 1000))
    stats = probe.finish().stats()
    assert stats["pkts"] == 2 and stats["kernel_drops"] == 1
    assert [loss["count"] for loss in probe.lines("loss")] == [1]


def test_loopback_shows_each_packet_once_in_both_directions(lan):
    with inside(A):
        listener = socket.create_server(("127.0.0.1", 80))
        client = socket.socket()
    probe = Probe("capture", "--device", "lo", "--outgoing", "--filter", "tcp and port 80")
    client.connect(("127.0.0.1", 80))
    peer, _ = listener.accept()
    client.sendall(b"request")
    assert peer.recv(100) == b"request"
    peer.sendall(b"answer!")
    assert client.recv(100) == b"answer!"
    packets = [p for p in probe.finish().lines("pkt") if p["len"] > 0]
    assert [p["digest"] for p in packets] == [fnv(b"request"), fnv(b"answer!")]


def test_any_device_sees_all_of_them_once(lan):
    with inside(A):
        local = socket.create_server(("127.0.0.1", 80))
        local_client = socket.socket()
    s = raw_socket(B, "vb")
    probe = Probe("capture", "--device", "any", "--filter", "tcp and dst port 80")
    s.send(frame(1, payload=b"wire"))
    s.send(frame(1, payload=b"tagged", tags=[(0x8100, 5)]))
    local_client.connect(("127.0.0.1", 80))
    local.accept()[0]
    local_client.sendall(b"local")
    packets = [p for p in probe.finish().lines("pkt") if p["len"] > 0]
    assert sorted(p["digest"] for p in packets) == sorted(fnv(t) for t in (b"wire", b"tagged", b"local"))
    assert all(p["link"] == 0 for p in packets)


def test_several_devices_share_one_capture(net):
    sh(f"ip -n {A} link add va2 type veth peer name vb2 netns {B}")
    sh(f"ip -n {A} link set va2 up")
    sh(f"ip -n {B} link set vb2 up")
    s, s2 = raw_socket(B, "vb"), raw_socket(B, "vb2")
    probe = Probe("capture", "--device", "va", "--device", "va2", "--filter", "tcp and dst port 80")
    for i in range(50):
        s.send(frame(i))
        s2.send(frame(1000 + i))
    packets = probe.finish().lines("pkt")
    assert [p["seq"] for p in packets if p["device"] == 0] == list(range(50))
    assert [p["seq"] for p in packets if p["device"] == 1] == list(range(1000, 1050))


def test_a_device_without_a_link_header_is_captured(net):
    sh(f"ip -n {A} tuntap add mode tun name drvtun")
    with inside(A):
        tun = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"drvtun", 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    sh(f"ip -n {A} link set drvtun up")
    probe = Probe("capture", "--device", "drvtun", "--filter", "tcp and dst port 80")
    os.write(tun, frame(77, payload=b"through a tunnel")[14:])
    (p,) = probe.finish().lines("pkt")
    os.close(tun)
    assert p["seq"] == 77 and p["digest"] == fnv(b"through a tunnel")


def test_a_device_that_goes_down_costs_nothing_and_is_captured_again(net):
    s = raw_socket(B, "vb")
    probe = Probe("capture", "--device", "va", "--filter", "tcp and dst port 80")
    s.send(frame(1))
    time.sleep(0.3)
    sh(f"ip -n {A} link set va down")
    time.sleep(1.2)
    sh(f"ip -n {A} link set va up")
    time.sleep(0.3)
    s.send(frame(2))  # it is captured at once, though the driver looks for the device only each second
    time.sleep(1)
    assert [p["seq"] for p in probe.finish().lines("pkt")] == [1, 2]
    assert probe.stats()["down"] == 0
    assert probe.lines("done")[0]["wakes"] < 500
    assert probe.stats()["cpu_us"] < 300000


def test_a_device_that_was_deleted_and_made_again_is_found(net):
    s = raw_socket(B, "vb")
    probe = Probe("capture", "--device", "va", "--filter", "tcp and dst port 80")
    s.send(frame(1))
    time.sleep(0.3)
    sh(f"ip -n {A} link del va")
    time.sleep(0.3)
    sh(f"ip -n {A} link add va type veth peer name vb netns {B}")
    sh(f"ip -n {A} link set va up")
    sh(f"ip -n {B} link set vb up")
    time.sleep(2.2)
    raw_socket(B, "vb").send(frame(2))
    assert [p["seq"] for p in probe.finish().lines("pkt")] == [1, 2]
    assert probe.lines("done")[0]["wakes"] < 500


def test_a_missing_device_stays_a_number_in_the_report(net):
    probe = Probe("capture", "--device", "va", "--filter", "tcp")
    sh(f"ip -n {A} link del va")
    time.sleep(0.2)
    assert probe.finish().stats()["down"] == 1


@pytest.mark.parametrize(
    "args, words",
    [
        (["--device", "eth9", "--filter", "tcp"], "cannot capture on 'eth9': no such device"),
        (["--device", "va", "--filter", "tcp and dst prt 80"], "cannot compile filter 'tcp and dst prt 80': "),
        (["--device", "any", "--filter", "vlan 5"], "cannot compile filter 'vlan 5': "),
        (["--device", "any", "--filter", "ether host 2:0:0:0:0:1"], "cannot compile filter 'ether host 2:0:0:0:0:1': "),
        (["--file", "/nowhere.pcap"], "cannot open '/nowhere.pcap': no such file or directory"),
    ],
)
def test_a_capture_that_cannot_be_made_says_why(lan, args, words):
    probe = Probe("capture", *(args if "--file" in args else [*args, "--own-filter"])).finish()
    assert probe.proc.returncode == 1 and probe.error.startswith(words)


# ---- deliver ----


def talk(server, *args):
    """A copied client says 150 KB to a real server; returns what the server read, and the probe."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with inside(B):
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE: all fits the first window
        listener.bind((server, 80))
        listener.listen()
    client = new_client(server)
    got = bytearray()

    def serve():
        listener.settimeout(10)
        peer, _ = listener.accept()
        peer.settimeout(10)
        while chunk := peer.recv(1 << 20):
            got.extend(chunk)

    thread = threading.Thread(target=serve)
    thread.start()
    probe = Probe("talk", "--device", "va", "--filter", f"tcp and src host {server} and src port 80 and dst host {client}", "--headers-only", "--target", server, "--client", client, *args).finish()
    thread.join()
    listener.close()
    return bytes(got), probe


def said(n):
    return bytes((i * 31 + i // 251) % 256 for i in range(n))


@pytest.mark.parametrize("offload", [True, False], ids=["offload", "no-offload"])
@pytest.mark.parametrize("how", [[], ["--no-gso"], ["--kind", "raw"]], ids=["gso", "cut-here", "raw"])
@pytest.mark.parametrize("server", ["10.77.0.2", "fd77::2"], ids=["v4", "v6"])
def test_a_real_server_reads_what_a_copied_client_says(lan, server, how, offload):
    set_offload(A, "va", offload)
    n = 64000
    got, probe = talk(server, "--bytes", n, *how)
    set_offload(A, "va", True)
    assert probe.proc.returncode == 0, (probe.out, probe.error)
    assert got == said(n)
    assert counters(B, "Tcp")["InCsumErrors"] == 0
    stats = probe.stats()
    segments = 3 + len(probe.lines("segment"))
    assert stats["segments"] == segments and stats["errors"] == 0
    assert stats["pkts"] == 3 + -(-n // 1448)
    if how == []:
        assert stats["calls"] == segments  # each was flushed by itself; none was cut here


def sniff(s):
    """What has come so far."""
    frames = []
    with contextlib.suppress(BlockingIOError):
        while True:
            data, (_, _, kind, _, _) = s.recvfrom(70000, socket.MSG_DONTWAIT)
            if kind != 4:  # PACKET_OUTGOING
                frames.append(data)
    return frames


@pytest.mark.parametrize("how", [[], ["--no-gso"], ["--kind", "raw"]], ids=["gso", "cut-here", "raw"])
@pytest.mark.parametrize("server", ["10.77.0.2", "fd77::2"], ids=["v4", "v6"])
def test_what_is_on_the_wire_has_right_checksums_and_sizes(lan, server, how):
    set_offload(A, "va", False)
    wire = raw_socket(B, "vb")
    n = 20001
    got, _ = talk(server, "--bytes", n, "--cut", 1000, *how)
    set_offload(A, "va", True)
    assert got == said(n)
    ids = []
    sizes = []
    for data in sniff(wire):
        p = Ether(data)
        if TCP not in p or p[TCP].sport != 40000:
            continue
        want_tcp = p[TCP].chksum
        rebuilt = p.copy()
        del rebuilt[TCP].chksum
        if IP in p:
            del rebuilt[IP].chksum
            ids.append(p[IP].id)
            assert p[IP].flags == 0
        rebuilt = Ether(bytes(rebuilt))
        assert rebuilt[TCP].chksum == want_tcp
        if IP in p:
            assert rebuilt[IP].chksum == p[IP].chksum
        assert (p.src, p.dst) == ("02:00:00:00:00:0a", "02:00:00:00:00:0b")
        if len(p[TCP].payload) > 0 and Raw in p:
            sizes.append(len(p[Raw].load))
    assert sizes == [1000] * 20 + [1]
    assert len(set(ids)) == len(ids)


def test_more_than_ip_can_count_goes_in_several_parts(lan):
    n = 200000
    got, probe = talk("10.77.0.2", "--bytes", n)
    assert probe.proc.returncode == 0, probe.out
    assert got == said(n)


def syn_frames(s):
    return [p for p in map(Ether, sniff(s)) if TCP in p and p[TCP].flags == "S"]


def test_a_neighbor_that_appears_later_is_used(net):
    wire = raw_socket(B, "vb")
    sh(f"ip -n {B} link set vb arp off")
    probe = Probe("syn", "--target", "10.77.0.2", "--client", "10.99.1.1", "--seconds", 5)
    time.sleep(0.5)
    assert syn_frames(wire) == []
    sh(f"ip -n {B} link set vb arp on")
    probe.finish()
    stats = probe.stats()
    sent = syn_frames(wire)
    assert 0 < stats["no_neighbor"] < stats["segments"]
    assert stats["no_neighbor"] == stats["errors"] == len(probe.lines("error"))
    assert len(sent) == stats["segments"] - stats["errors"] > 0
    assert {e["name"] for e in probe.lines("error")} == {"EHOSTUNREACH"}


def test_a_neighbor_that_gets_another_mac_is_followed(net):
    wire = raw_socket(B, "vb")
    probe = Probe("syn", "--target", "10.77.0.2", "--client", "10.99.1.1", "--seconds", 1.5)
    time.sleep(0.5)
    sh(f"ip -n {A} neigh replace 10.77.0.2 lladdr 02:00:00:00:00:99 dev va")
    assert probe.finish().stats()["errors"] == 0
    macs = [p.dst for p in syn_frames(wire)]
    assert macs == sorted(macs) and set(macs) == {"02:00:00:00:00:0b", "02:00:00:00:00:99"}


def test_a_route_through_a_gateway_and_its_change_are_followed(net):
    sh(f"ip -n {A} route add 10.88.0.0/16 via 10.77.0.2")
    sh(f"ip -n {A} neigh add 10.77.0.3 lladdr 02:00:00:00:00:03 dev va")
    wire = raw_socket(B, "vb")
    probe = Probe("syn", "--target", "10.88.0.1", "--client", "10.99.1.1", "--seconds", 1.5)
    time.sleep(0.5)
    sh(f"ip -n {A} route change 10.88.0.0/16 via 10.77.0.3 mtu 1300")
    probe.finish()
    macs = [p.dst for p in syn_frames(wire)]
    assert macs == sorted(macs, reverse=True) and set(macs) == {"02:00:00:00:00:0b", "02:00:00:00:00:03"}
    assert [m["bytes"] for m in probe.lines("mtu")] == [1300]
    assert "PERMANENT" in subprocess.run(f"ip -n {A} neigh show 10.77.0.3", shell=True, capture_output=True, text=True).stdout
    assert probe.before == ["way 10.88.0.1 via 10.77.0.2 dev va lladdr 02:00:00:00:00:0b mtu 1500"]


def test_another_mtu_of_the_device_is_told_and_never_exceeded(net):
    probe = Probe("syn", "--target", "10.77.0.2", "--client", "10.99.1.1", "--seconds", 1)
    time.sleep(0.4)
    sh(f"ip -n {A} link set va mtu 1280")
    probe.finish()
    assert [m["bytes"] for m in probe.lines("mtu")] == [1280]
    wire = raw_socket(B, "vb")
    set_offload(A, "va", False)
    got, _ = talk("10.77.0.2", "--bytes", 30000, "--cut", 1448)
    assert got == said(30000)
    assert max(len(f) for f in sniff(wire) if IP in Ether(f) and Ether(f)[IP].src.startswith("10.99.")) == 14 + 1280


@pytest.mark.parametrize("kind", ["packet", "raw"])
def test_a_device_that_goes_down_is_errors_until_it_is_back(net, kind):
    wire = raw_socket(B, "vb")
    probe = Probe("syn", "--kind", kind, "--target", "10.77.0.2", "--client", "10.99.1.1", "--seconds", 4)
    time.sleep(0.5)
    sh(f"ip -n {A} link set va down")
    time.sleep(1)
    sh(f"ip -n {A} link set va up")
    stats = probe.finish().stats()
    assert probe.proc.returncode == 0
    assert 5 <= stats["errors"] < stats["segments"] - 10
    assert len(syn_frames(wire)) >= stats["segments"] - stats["errors"] - 2 > 10
    assert {e["name"] for e in probe.lines("error")} <= {"ENETDOWN", "ENETUNREACH", "EHOSTUNREACH", "ENODEV"}


def test_device_and_mac_that_the_user_gives_need_no_route(lan):
    wire = raw_socket(B, "vb")
    probe = Probe("syn", "--target", "192.0.2.9", "--client", "10.99.1.1", "--out", "va", "--mac", "02:00:00:00:00:77", "--seconds", 0.5)
    assert probe.finish().stats()["errors"] == 0
    assert {(p.dst, p[IP].dst) for p in syn_frames(wire)} == {("02:00:00:00:00:77", "192.0.2.9")}


def test_a_neighbor_that_must_not_be_asked_for_is_an_error_at_the_start(net):
    fixed = ["--target", "10.77.0.2", "--client", "10.99.1.1", "--seconds", 0.3]
    less = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"]
    probe = Probe("syn", *fixed, prefix=less).finish()
    assert probe.proc.returncode == 1
    assert probe.error.startswith("cannot look for the neighbour on the way to target '10.77.0.2' (it needs CAP_NET_ADMIN")
    assert Probe("syn", *fixed, "--mac", "02:00:00:00:00:0b", prefix=less).finish().stats()["errors"] == 0


def test_a_target_without_a_route_is_refused_at_the_start(lan):
    probe = Probe("syn", "--target", "192.0.2.9", "--client", "10.99.1.1").finish()
    assert probe.proc.returncode == 1
    assert probe.error.strip() == "no way to target '192.0.2.9': network is unreachable"


def local_target(server, *args):
    client = new_client(server)
    with inside(A):
        listener = socket.create_server((server, 80))
    probe = Probe("talk", "--device", "any", "--outgoing", "--filter", f"tcp and src host {server} and src port 80", "--target", server, "--client", client, *args)
    if probe.proc.poll() is None:
        listener.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            peer, _ = listener.accept()
            data = b""
            while chunk := peer.recv(1 << 16):
                data += chunk
            return data, probe.finish()
    return None, probe.finish()


def test_a_target_on_this_host_is_reached_where_the_kernel_allows_it(net):
    sh(f"ip -n {A} route add 10.99.0.0/16 via 10.77.0.2")
    assert local_target("10.77.0.1", "--bytes", 3000)[0] == said(3000)
    assert local_target("10.77.0.1", "--bytes", 3000, "--kind", "raw")[0] == said(3000)
    _, probe = local_target("127.0.0.1")
    assert probe.proc.returncode == 1 and "net.ipv4.conf.all.route_localnet=1" in probe.error
    sh(f"ip netns exec {A} sysctl -qw net.ipv4.conf.all.route_localnet=1")
    assert local_target("127.0.0.1", "--bytes", 3000)[0] == said(3000)
    sh(f"ip netns exec {A} sysctl -qw net.ipv4.conf.all.rp_filter=1")
    _, probe = local_target("10.77.0.1")
    assert probe.proc.returncode == 1 and "net.ipv4.conf.lo.rp_filter=2" in probe.error
    sh(f"ip netns exec {A} sysctl -qw net.ipv4.conf.lo.rp_filter=2")
    assert local_target("10.77.0.1", "--bytes", 3000)[0] == said(3000)


def test_raw_sends_mark_their_packets_and_follow_its_rule(net):
    sh(f"ip -n {A} rule add fwmark 7 unreachable")
    plain = Probe("syn", "--kind", "raw", "--target", "10.77.0.2", "--client", "10.99.1.1", "--seconds", 0.3).finish()
    marked = Probe("syn", "--kind", "raw", "--mark", 7, "--target", "10.77.0.2", "--client", "10.99.1.1", "--seconds", 0.3).finish()
    assert plain.stats()["errors"] == 0
    assert marked.stats()["errors"] == marked.stats()["segments"] > 0


def attribute(kind, data, nested=False):
    return struct.pack("HH", 4 + len(data), kind | (0x8000 if nested else 0)) + data + bytes(-len(data) % 4)


def track_a_connection(ns):
    """Have the kernel keep an entry of connection tracking: IPCTNL_MSG_CT_NEW of nfnetlink."""

    def tuple_of(kind, src, dst, sport, dport):
        ip = attribute(1, socket.inet_aton(src)) + attribute(2, socket.inet_aton(dst))
        proto = attribute(1, b"\x06") + attribute(2, struct.pack("!H", sport)) + attribute(3, struct.pack("!H", dport))
        return attribute(kind, attribute(1, ip, True) + attribute(2, proto, True), True)

    body = struct.pack("BBH", socket.AF_INET, 0, 0)
    body += tuple_of(1, "10.77.0.1", "10.77.0.2", 1000, 80) + tuple_of(2, "10.77.0.2", "10.77.0.1", 80, 1000)
    body += attribute(7, struct.pack("!I", 600)) + attribute(4, attribute(1, attribute(1, b"\x03"), True), True)
    try:
        with inside(ns):
            s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)  # NETLINK_NETFILTER
        s.send(struct.pack("IHHII", 16 + len(body), 1 << 8, 0x405, 1, 0) + body)
        (error,) = struct.unpack("i", s.recv(4096)[16:20])
    except OSError as e:
        error = -e.errno
    if error != 0:
        pytest.skip(f"machine: no connection tracking by netlink ({os.strerror(-error)})")


def test_raw_sends_are_refused_where_connections_are_tracked(net):
    arguments = ["syn", "--kind", "raw", "--target", "10.77.0.2", "--client", "10.99.1.1", "--seconds", 0.2]
    assert Probe(*arguments).finish().proc.returncode == 0
    track_a_connection(A)
    refused = Probe(*arguments).finish()
    assert refused.proc.returncode == 1
    assert refused.error.startswith("connection tracking is at work here (1 entries)")
    assert Probe(*arguments, "--allow-conntrack").finish().stats()["pkts"] > 0
    assert Probe("syn", "--target", "10.77.0.2", "--client", "10.99.1.1", "--seconds", 0.2).finish().stats()["pkts"] > 0


def test_a_queue_that_drops_is_errors_and_no_more(net):
    probe = Probe("syn", "--target", "10.77.0.2", "--client", "10.99.1.1", "--seconds", 2)
    sh(f"ip netns exec {A} tc qdisc replace dev va root tbf rate 1kbit burst 100 limit 100")
    stats = probe.finish().stats()
    assert probe.proc.returncode == 0
    assert 0 < stats["errors"] < stats["segments"] and stats["no_neighbor"] == 0
    assert stats["pkts"] == stats["segments"] - stats["errors"]
    assert {e["name"] for e in probe.lines("error")} == {"ENOBUFS"}
