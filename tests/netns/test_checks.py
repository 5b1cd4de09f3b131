# SPDX-License-Identifier: BSD-2-Clause
"""test_checks.py - each thing that commonly goes wrong is broken once, and the message must name it and the command that mends it

Three hosts of lab/lab.py; the rows of BREAKS say what is done to them, who must speak, and with which words. The last test does
nothing to them: then nobody may warn.
"""

import collections
import contextlib
import os
import re
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.environ.get("TCPCOPY_SOURCE") or os.path.join(os.path.dirname(__file__), "..", ".."), "lab"))

from echo import Echo  # pylint: disable=wrong-import-position
from lab import Lab, ThreeHosts, cpus, until  # pylint: disable=wrong-import-position
from pair import Pair, program  # pylint: disable=wrong-import-position

TOOLS_CPU = cpus()[1]
PATIENCE = 15


class Stage:
    def __init__(self, lab):
        self.lab, self.net = lab, ThreeHosts(lab, 1)
        self.servers = [Echo(self.net.online, 80), Echo(self.net.target, 8080)]
        self.pair = Pair(self.net, TOOLS_CPU)

    def close(self):
        for server in self.servers:
            server.close()

    def path(self, name):
        return os.path.join(self.lab.folder, name)

    def key(self, name):
        subprocess.run([program("tcpcopy"), "genkey", self.path(name)], stderr=subprocess.DEVNULL, check=True)
        return self.path(name)

    def start(self):
        """Both programs, whether or not they find each other."""
        self.pair.intercept = self.net.assistant.start("intercept", program("intercept"), *self.pair.intercept_args, cpu=TOOLS_CPU)
        assert until(lambda: "listening" in self.pair.intercept.errors(), 5), self.pair.intercept.errors()
        self.start_tcpcopy()

    def start_tcpcopy(self):
        self.pair.tcpcopy = self.net.online.start("tcpcopy", program("tcpcopy"), *self.pair.tcpcopy_args, cpu=TOOLS_CPU)

    def traffic(self):
        """One client, who says one thing."""
        with contextlib.suppress(OSError):
            with self.net.clients[0].socket() as s:
                s.settimeout(1)
                s.connect((self.net.online.ip, 80))
                s.sendall(b"hello")
                s.recv(10)


@contextlib.contextmanager
def stage():
    with Lab(print) as lab:
        s = Stage(lab)
        yield s
        s.close()


def nothing_at_s(s):
    s.start_tcpcopy()


def no_host_at_s(s):
    s.pair.tcpcopy_args = ["-x", f"80-{s.net.target.ip}:8080", "-s", "10.2.0.77"]
    s.start_tcpcopy()


def something_else_at_s(s):
    s.pair.tcpcopy_args = ["-x", f"80-{s.net.target.ip}:8080", "-s", f"{s.net.target.ip}:8080"]
    s.start_tcpcopy()


def no_route_back(s):
    s.net.target.run("ip", "route", "delete", s.net.CLIENT_NET)
    s.start()


def strict_rp_filter(s):
    """The route back is there, but it is another device's than the one by which the copies come in."""
    s.net.target.run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "eth1-peer")
    s.net.target.address("eth1", "10.3.0.3/24")
    s.net.target.link("set", "eth1", "up")
    s.net.target.run("ip", "route", "replace", s.net.CLIENT_NET, "via", "10.3.0.4", "dev", "eth1")
    s.net.target.sysctl("net.ipv4.conf.all.rp_filter=1")
    s.start()


def forwarding(s):
    s.net.assistant.sysctl("net.ipv4.ip_forward=1")
    s.start()


def forwarding_of_one_device(s):
    s.net.assistant.sysctl("net.ipv4.conf.eth0.forwarding=1")
    s.start()


def forwarding_of_ipv6(s):
    s.net.assistant.sysctl("net.ipv6.conf.all.forwarding=1")
    s.start()


def filter_of_tcpcopy(s):
    s.pair.tcpcopy_args += ["-i", "eth0", "-F", "tcp and dst port 81"]
    s.start()


def filter_of_intercept(s):
    s.pair.intercept_args = ["-i", "eth0", "-F", "tcp and src port 8081"]
    s.start()


def map_of_another_address(s):
    s.pair.tcpcopy_args = ["-x", f"10.2.0.99:80-{s.net.target.ip}:8080", "-s", s.net.assistant.ip, "-F", "tcp and dst port 80"]
    s.start()


def device_down(s):
    s.net.online.run("ip", "link", "add", "idle0", "type", "veth", "peer", "name", "idle1")
    s.pair.tcpcopy_args += ["-i", "idle0"]
    s.start()


def target_down(s):
    s.net.target.link("set", "eth0", "down")
    s.start()


def other_key(s):
    s.pair.intercept_args += ["--key", s.key("one")]
    s.pair.tcpcopy_args += ["--key", s.key("two")]
    s.start()


def no_key(s):
    s.pair.intercept_args += ["--key", s.key("one")]
    s.start()


def key_of_tcpcopy_alone(s):
    s.pair.tcpcopy_args += ["--key", s.key("one")]
    s.start()


def strict_rp_filter_here(s):
    s.net.online.sysctl("net.ipv4.conf.all.rp_filter=1")
    s.pair.tcpcopy_args = ["-x", f"80-{s.net.online.ip}:8080", "-s", s.net.assistant.ip]
    s.start()


Break = collections.namedtuple("Break", "how speaker words")

BREAKS = [
    Break(nothing_at_s, "tcpcopy", ["10.2.0.4:36524: connection refused", "start intercept on that host", "-s HOST:PORT"]),
    Break(no_host_at_s, "tcpcopy", ["cannot connect to 10.2.0.77:36524", "is that host up"]),
    Break(something_else_at_s, "tcpcopy", ["10.2.0.3:8080", "what listens there", "no intercept"]),
    Break(no_route_back, "tcpcopy", ["nothing of it has reached intercept", "On 10.2.0.3", "ip route add CLIENTS/LEN via 10.2.0.4"]),
    Break(no_route_back, "intercept", ["no packet has been captured", "ip route get CLIENT", "tcpdump -ni eth0 'tcp and src port 8080'"]),
    Break(strict_rp_filter, "tcpcopy", ["nothing of it has reached intercept", "sysctl -w net.ipv4.conf.all.rp_filter=2"]),
    Break(strict_rp_filter_here, "tcpcopy", ["is this host", "sysctl -w net.ipv4.conf.lo.rp_filter=2"]),
    Break(forwarding, "intercept", ["this host forwards packets", "sysctl -w net.ipv4.ip_forward=0"]),
    Break(forwarding_of_one_device, "intercept", ["comes in on eth0", "sysctl -w net/ipv4/conf/eth0/forwarding=0"]),
    Break(forwarding_of_ipv6, "intercept", ["this host forwards IPv6 packets", "sysctl -w net.ipv6.conf.all.forwarding=0"]),
    Break(filter_of_tcpcopy, "tcpcopy", ["no packet has been captured in 5 s", "tcpdump -ni eth0 'tcp and dst port 81'", "-F is too narrow"]),
    Break(filter_of_intercept, "tcpcopy", ["nothing of it has reached intercept"]),
    Break(filter_of_intercept, "intercept", ["no packet has been captured", "tcpdump -ni eth0 'tcp and src port 8081'"]),
    Break(map_of_another_address, "tcpcopy", ["no -x names", "--dry-run"]),
    Break(device_down, "tcpcopy", ["1 of the devices of -i is down", "ip link set idle0 up"]),
    Break(target_down, "tcpcopy", ["does not tell its MAC address", "ip route get 10.2.0.3", "@MAC"]),
    Break(other_key, "tcpcopy", ["refused", "--key with the same file on both hosts"]),
    Break(other_key, "intercept", ["no tcpcopy of ours", "key"]),
    Break(no_key, "tcpcopy", ["refused", "give --key with the same file"]),
    Break(key_of_tcpcopy_alone, "tcpcopy", ["refused", "give --key with the same file"]),
]
HOWS = list(dict.fromkeys(b.how for b in BREAKS))


@pytest.mark.parametrize("how", HOWS, ids=lambda how: how.__name__)
def test_what_is_broken_is_named_with_the_command_that_mends_it(how):
    rows = [row for row in BREAKS if row.how == how]

    def missing(s):
        return [(row.speaker, word) for row in rows for word in row.words if word not in getattr(s.pair, row.speaker).errors()]

    with stage() as s:
        how(s)
        end = time.monotonic() + PATIENCE
        while missing(s) and time.monotonic() < end:
            s.traffic()
            time.sleep(0.3)
        assert not missing(s), "\n".join(p.errors() for p in (s.pair.tcpcopy, s.pair.intercept) if p)


def warnings(process):
    return [line for line in process.errors().splitlines() if re.match(r"(warning|error): ", line)]


def test_nothing_is_warned_of_when_nothing_is_broken():
    with stage() as s:
        key = s.key("key")
        s.pair.intercept_args += ["--key", key]
        s.pair.tcpcopy_args += ["--key", key]
        s.start()
        end = time.monotonic() + 8
        while time.monotonic() < end:
            s.traffic()
            time.sleep(0.3)
        assert warnings(s.pair.tcpcopy) == []
        assert warnings(s.pair.intercept) == []
        assert s.pair.tcpcopy.stop() == 0
