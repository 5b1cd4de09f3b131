# SPDX-License-Identifier: BSD-2-Clause
"""lab.py - hosts as network namespaces, their processes, and watches on their wires

Every namespace is called tcpcopy-lab-PID-HOST, PID being the process that made it; nothing outside of them is changed. All that a
Lab made is gone after close(), which a `with` block calls on every way out. If the lab itself is killed, the kernel ends its
processes (they ask for it when they start), and the next lab removes the namespaces it left.
"""

import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

NAMESPACES = "/run/netns"
PREFIX = "tcpcopy-lab"
CLONE_NEWNET = 0x40000000
EXIT_PRIVILEGE = 4


class LabError(Exception):
    """A step of the lab failed; the text says which, and what it printed."""


def cpus():
    """(the CPU of clients and servers, the CPU of tcpcopy and intercept); the same one on a machine that has only one"""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[min(1, len(usable) - 1)]


def require_root(what):
    """End with exit status 4 unless network namespaces can be made here."""
    if os.geteuid() != 0:
        print(f"{what} makes network namespaces and needs root: run it with sudo", file=sys.stderr)
        sys.exit(EXIT_PRIVILEGE)
    probe = subprocess.run(["unshare", "--net", "--mount", "true"], stderr=subprocess.PIPE, text=True, check=False)
    if probe.returncode != 0:
        print(f"{what} makes network namespaces and needs the capabilities CAP_SYS_ADMIN and CAP_NET_ADMIN "
              f"(a container has them with --privileged): {probe.stderr.strip()}", file=sys.stderr)
        sys.exit(EXIT_PRIVILEGE)


def exit_on_signals():
    """Ctrl-C, SIGTERM and SIGHUP unwind, so that `with` blocks clean up; also where a shell started us with SIGINT ignored."""
    def leave(number, _frame):
        sys.exit(128 + number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


def until(condition, seconds, pause=0.02):
    """Wait for condition() to be true; return its last value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() >= end:
            return value
        time.sleep(pause)


class Process:
    """A program on a host, in a session of its own: a Ctrl-C at the terminal reaches the lab, which then stops it.

    stdout and stderr go to files, .out and .err. After it ended, .code is its exit status (negative: the signal) and .cpu_s the
    user and system time that it took.
    """

    def __init__(self, name, argv, folder, number):
        self.name, self.code, self.cpu_s = name, None, None
        self.out = os.path.join(folder, f"{number:02}-{name}.out")
        self.err = os.path.join(folder, f"{number:02}-{name}.err")
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
        self.pid = self.popen.pid

    def alive(self):
        if self.code is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid != 0:
                self.popen.returncode = self.code = os.waitstatus_to_exitcode(status)
                self.cpu_s = usage.ru_utime + usage.ru_stime
        return self.code is None

    def wait(self, seconds):
        if not until(lambda: not self.alive(), seconds):
            raise LabError(f"{self.name} has not ended after {seconds} s\n{self.errors()}")
        return self.code

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def stop(self, seconds=10):
        """SIGTERM; SIGKILL for one that does not end in time. Return the exit status."""
        self.signal(signal.SIGTERM)
        if not until(lambda: not self.alive(), seconds):
            self.kill()
        return self.code

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.wait(10)

    def output(self):
        with open(self.out, encoding="utf-8", errors="replace") as f:
            return f.read()

    def errors(self):
        with open(self.err, encoding="utf-8", errors="replace") as f:
            return f.read()

    def cpu_ns(self):
        """User and system time of all its threads until now, while it lives."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
        return total


class Host:
    """One network namespace; .ip and .ip6 are its addresses, without the length of the prefix."""

    def __init__(self, lab, name):
        self.lab, self.name, self.ip, self.ip6 = lab, name, None, None
        self.ns = f"{PREFIX}-{os.getpid()}-{name}"
        lab.sh("ip", "netns", "add", self.ns)
        # addresses of IPv6 are there at once, those of links too, which neighbours are asked from: no search for duplicates
        self.sysctl("net.ipv6.conf.default.accept_dad=0")
        self.link("set", "lo", "up")

    def link(self, *args):
        self.lab.sh("ip", "-n", self.ns, "link", *args)

    def address(self, device, address):
        """IPv4 or IPv6, with the length of its prefix."""
        self.lab.sh("ip", "-n", self.ns, "address", "add", address, "dev", device)
        if ":" in address:
            self.ip6 = self.ip6 or address.split("/")[0]
        else:
            self.ip = self.ip or address.split("/")[0]

    def route(self, network, via):
        self.lab.sh("ip", "-n", self.ns, "route", "add", network, "via", via)

    def sysctl(self, *settings):
        self.run("sysctl", "-q", "-w", *settings)

    def run(self, *argv):
        """Run a command to its end and return what it printed; LabError when it fails."""
        return self.lab.sh("ip", "netns", "exec", self.ns, *argv)

    def start(self, name, *argv, cpu):
        """Start a Process here, on one CPU."""
        self.lab.say(f"{self.name}$ {' '.join(argv)}")
        command = ["ip", "netns", "exec", self.ns, "setpriv", "--pdeathsig", "KILL", "taskset", "-c", str(cpu), *argv]
        process = Process(name, command, self.lab.folder, len(self.lab.processes))
        self.lab.processes.append(process)
        return process

    def socket(self, *args):
        """A socket of this host."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/self/ns/net", "rb") as home, open(os.path.join(NAMESPACES, self.ns), "rb") as there:
            if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"cannot enter {self.ns}")
            try:
                return socket.socket(*args)
            finally:
                libc.setns(home.fileno(), CLONE_NEWNET)


def keep_ipv4(address):
    """Steps of a packet filter: an IPv4 address, and ICMP."""
    wanted = struct.unpack("!I", socket.inet_aton(address))[0]
    return [
        (0x28, 0, 0, 12),            # ldh [12]            the Ethernet type
        (0x15, 0, 7, 0x0800),        # IPv4, or drop
        (0x20, 0, 0, 26),            # ld [26]             source
        (0x15, 4, 0, wanted),
        (0x20, 0, 0, 30),            # ld [30]             destination
        (0x15, 2, 0, wanted),
        (0x30, 0, 0, 23),            # ldb [23]            protocol
        (0x15, 0, 1, socket.IPPROTO_ICMP),
        (0x06, 0, 0, 0xFFFF),        # keep
        (0x06, 0, 0, 0)]             # drop


def keep_ipv6(address):
    """Steps of a packet filter: an IPv6 address, and errors of ICMPv6 (neighbours are asked for on every wire)."""
    words = struct.unpack("!4I", socket.inet_pton(socket.AF_INET6, address))
    destination, icmp, keep, drop = 10, 18, 22, 23
    steps = [(0x28, 0, 0, 12), (0x15, 0, drop - 2, 0x86DD)]
    for at, otherwise in ((22, destination), (38, icmp)):
        for i, word in enumerate(words):
            steps.append((0x20, 0, 0, at + 4 * i))
            following = len(steps) + 1
            steps.append((0x15, keep - following if i == 3 else 0, otherwise - following, word))
    return steps + [
        (0x30, 0, 0, 20),            # ldb [20]            next header
        (0x15, 0, 3, socket.IPPROTO_ICMPV6),
        (0x30, 0, 0, 54),            # ldb [54]            type
        (0x35, 1, 0, 128),           # no error
        (0x06, 0, 0, 0xFFFF),        # keep
        (0x06, 0, 0, 0)]             # drop


class Watch:
    """Keeps the packets on a device of a host that come from an address or go to it, and ICMP of its family."""

    SO_ATTACH_FILTER = 26

    def __init__(self, host, device, address):
        self.device, self.folder, self.name = device, host.lab.folder, host.name
        steps = keep_ipv6(address) if ":" in address else keep_ipv4(address)
        program = b"".join(struct.pack("HBBI", *step) for step in steps)
        buffer = ctypes.create_string_buffer(program)
        self.socket = host.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, self.SO_ATTACH_FILTER,
                               struct.pack("HP", len(program) // 8, ctypes.addressof(buffer)))
        # no further namespace to enter: the socket knows its own
        self.socket.bind((device, 0x0003))  # ETH_P_ALL
        self.socket.setblocking(False)

    def frames(self):
        """What was seen since the last call; kept as a capture file too when there is anything."""
        frames = []
        while True:
            try:
                frames.append(self.socket.recv(65535))
            except BlockingIOError:
                break
        if frames:
            path = os.path.join(self.folder, f"watch-{self.name}.pcap")
            with open(path, "ab") as f:
                if f.tell() == 0:
                    f.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
                for frame in frames:
                    f.write(struct.pack("=IIII", int(time.time()), 0, len(frame), len(frame)) + frame)
        return frames

    def close(self):
        self.socket.close()


class Lab:
    """All that one run makes: use it in a `with` block.

    @say:  called with each command before it runs
    .keep  set it to keep the folder of logs and captures; an exception sets it
    """

    def __init__(self, say=lambda text: None):
        self.say, self.keep = say, False
        self.hosts, self.processes = {}, []
        self.folder = tempfile.mkdtemp(prefix=PREFIX + "-")

    def __enter__(self):
        self._remove_abandoned()
        return self

    def __exit__(self, kind, value, trace):
        self.keep = self.keep or (kind is not None and issubclass(kind, Exception))
        self.close()

    def sh(self, *argv):
        self.say("$ " + " ".join(argv))
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise LabError(f"{' '.join(argv)}: exit status {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def host(self, name):
        self.hosts[name] = Host(self, name)
        return self.hosts[name]

    def bridge(self, router, name, *addresses):
        """A switch inside the host router, which has these addresses on it."""
        router.link("add", name, "type", "bridge")
        for address in addresses:
            router.address(name, address)
        router.link("set", name, "up")

    def join(self, host, router, bridge, *addresses, device="eth0"):
        """Plug a device of host, with these addresses, into a bridge of router."""
        port = f"port-{host.name}"
        router.link("add", port, "type", "veth", "peer", "name", device, "netns", host.ns)
        router.link("set", port, "master", bridge, "up")
        for address in addresses:
            host.address(device, address)
        host.link("set", device, "up")

    def _remove_abandoned(self):
        names = os.listdir(NAMESPACES) if os.path.isdir(NAMESPACES) else []
        for name in names:
            owner = name.removeprefix(PREFIX + "-").split("-")[0]
            if name.startswith(PREFIX + "-") and owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
                self.sh("ip", "netns", "delete", name)

    def close(self):
        """Stop the processes, remove the namespaces and, unless .keep is set, the folder. No signal stops this half-way."""
        held = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            for process in reversed(self.processes):
                process.signal(signal.SIGKILL)
            for process in self.processes:
                until(lambda p=process: not p.alive(), 5)
            for host in reversed(self.hosts.values()):
                subprocess.run(["ip", "netns", "delete", host.ns], stderr=subprocess.DEVNULL, check=False)
            self.hosts, self.processes = {}, []
            if self.keep:
                print(f"logs and captures are kept in {self.folder}", file=sys.stderr)
            else:
                shutil.rmtree(self.folder, ignore_errors=True)
        finally:
            for number, handler in held.items():
                signal.signal(number, handler)


class ThreeHosts:
    """The topology with an assistant host.

        client1 client2 ...                      online    target    assistant
         10.1.0.11  .12                        10.2.0.2  10.2.0.3     10.2.0.4
            |        |                             |         |           |
            +--------+-- 10.1.0.1 router 10.2.0.1 -+---------+-----------+

    The target's route to the clients' network leads to the assistant, which forwards nothing: the target's answers to copied
    connections end there. IPv6 is the same, in fd01::/64 and fd02::/64 with the same last numbers, in decimal.
    """

    CLIENT_NET, CLIENT_NET6 = "10.1.0.0/24", "fd01::/64"

    def __init__(self, lab, clients):
        self.lab = lab
        self.router = lab.host("router")
        lab.bridge(self.router, "clients", "10.1.0.1/24", "fd01::1/64")
        lab.bridge(self.router, "servers", "10.2.0.1/24", "fd02::1/64")
        self.router.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

        self.clients = [lab.host(f"client{i + 1}") for i in range(clients)]
        for i, client in enumerate(self.clients):
            lab.join(client, self.router, "clients", f"10.1.0.{11 + i}/24", f"fd01::{11 + i}/64")
            client.route("default", "10.1.0.1")
            client.route("default", "fd01::1")

        self.online, self.target, self.assistant = (lab.host(name) for name in ("online", "target", "assistant"))
        for i, server in enumerate((self.online, self.target, self.assistant)):
            lab.join(server, self.router, "servers", f"10.2.0.{2 + i}/24", f"fd02::{2 + i}/64")
        self.online.route("default", "10.2.0.1")
        self.online.route("default", "fd02::1")
        self.target.route(self.CLIENT_NET, self.assistant.ip)
        self.target.route(self.CLIENT_NET6, self.assistant.ip6)
        self.assistant.sysctl("net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")
