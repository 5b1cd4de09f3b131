# SPDX-License-Identifier: BSD-2-Clause
"""stage.py - what a scenario stands on: its three hosts, servers of turns, the pair, and the questions at the end

A scenario is a function in a module of lab/scenarios, called with a stage:

    @scenario(7)
    def slow_target(s):
        s.begin({80: ({}, {"delay_ms": 50})})
        s.load(connections=10, turns=15 * s.scale, period=0.1).finish()
        s.end()

Exceptions say what is wrong; what it returns, if anything, is a remark for the table.
"""

import collections
import contextlib
import json
import os
import shutil
import sys
import time

from lab import Lab, ThreeHosts, Watch, cpus, until
from load import Load
from pair import Pair, program
from web import Comparison, Nginx, Wrk

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scenario_server.py")
SERVERS_CPU, TOOLS_CPU = cpus()
SETTLE = 10             # seconds that the copy gets to catch up
SLACK = 0.5             # seconds by which bounds of time are wider in the short form: a busy machine is no fault

Scenario = collections.namedtuple("Scenario", "number name play ipv6")
SCENARIOS = {}          # {name: Scenario}


class Skip(Exception):
    """A tool is not there; the text says which, and where it comes from."""


def scenario(number, ipv6=True):
    """Enter a function as a scenario. @number: that of its subject, for the table; @ipv6: False for one that is made of IPv4 addresses"""
    def enter(function):
        SCENARIOS[function.__name__] = Scenario(number, function.__name__, function, ipv6)
        return function
    return enter


def need(command, package):
    if not shutil.which(command) and not os.path.exists(f"/usr/sbin/{command}"):
        raise Skip(f"there is no {command}; on Debian it comes with {package}")


def resident_kb(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
        return next(int(row.split()[1]) for row in f if row.startswith("VmRSS:"))


def private_dirty_bytes(process):
    """Without the ring of its capture: that is the kernel's, and of fixed size."""
    total, ring = 0, False
    with open(f"/proc/{process.pid}/smaps", encoding="ascii") as f:
        for row in f:
            if row.startswith("Private_Dirty:"):
                total += 0 if ring else int(row.split()[1]) * 1024
            elif not row.split()[0].endswith(":"):
                ring = "socket:" in row
    return total


def waited_s(*processes):
    """Seconds that they were ready to run, but other work had the CPU."""
    total = 0
    for process in processes:
        for task in os.listdir(f"/proc/{process.pid}/task"):
            with open(f"/proc/{process.pid}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[1])
    return total / 1e9


def firewall(host, *rules):
    """Rules of nft for the chains in and out."""
    host.run("nft", "add table inet lab")
    for chain, hook in (("in", "input"), ("out", "output")):
        host.run("nft", f"add chain inet lab {chain} {{ type filter hook {hook} priority 0; }}")
    for rule in rules:
        host.run("nft", f"add rule inet lab {rule}")


class Turns:
    """A server of turns on a host, and what it wrote down. ports: {port: its manner}

    @fast: lab/turn_server.c instead of scenario_server.py: one port, no manners, tens of thousands of turns a second
    """

    def __init__(self, host, ports, fast=False):
        self.log = os.path.join(host.lab.folder, f"turns-{host.name}")
        if fast:
            argv = [program("lab/turn_server"), "-l", self.log, "-p", *map(str, ports)]
        else:
            argv = [sys.executable, "-B", SERVER, self.log, *(f"{port}={json.dumps(manner)}" for port, manner in ports.items())]
        self.process = host.start(f"server-{host.name}", *argv, cpu=SERVERS_CPU)
        assert until(lambda: "ready" in self.process.output(), 10), self.process.errors()
        self._counted, self._offset = 0, 0

    def rows(self):
        with open(self.log, encoding="ascii") as f:
            return [json.loads(row) for row in f.read().splitlines(keepends=True) if row.endswith("\n")]

    def count(self):
        """Turns in the log until now."""
        with open(self.log, "rb") as f:
            f.seek(self._offset)
            new = f.read()
        new = new[:new.rfind(b"\n") + 1]
        self._offset += len(new)
        self._counted += new.count(b'"turn":')
        return self._counted

    def turns(self):
        """{(port, client, number): row}"""
        return {(row["port"], row["client"], row["turn"]): row for row in self.rows() if "turn" in row}

    def connections(self):
        return [row for row in self.rows() if "turns" in row]

    def whole(self, shift=0):
        """{(port - shift, client, bytes, digest): how many connections}, of those that said anything"""
        return collections.Counter((r["port"] - shift, r["client"], r["bytes"], r["digest"]) for r in self.connections() if r["bytes"])


class Stage:
    """The hosts of one scenario. ports: {port at the online server: (its manner there, the manner of port + 8000 at the target)}

    @scale:  how much traffic: 1 in tests, more for `make lab`
    @strict: are bounds of time meant literally; on a machine that is busy with other tests they are SLACK wider
    """

    def __init__(self, lab, six, scale, strict):
        self.lab, self.six, self.scale, self.slack = lab, six, scale, 0 if strict else SLACK
        self.net = ThreeHosts(lab, 1)
        self.client, self.online_host, self.target_host = self.net.clients[0], self.net.online, self.net.target
        self.address, self.target_address = (host.ip6 if six else host.ip for host in (self.net.online, self.net.target))
        self.online = self.target = self.pair = self.watch = None
        self.waited = 0

    def serve(self, ports, fast=False):
        self.online = Turns(self.online_host, {port: manners[0] for port, manners in ports.items()}, fast)
        self.target = Turns(self.target_host, {port + 8000: manners[1] for port, manners in ports.items()}, fast)

    def copy(self, ports, *args, to=None, intercept=()):
        """Start the pair, for these ports. @args, @intercept: further arguments of tcpcopy and of intercept"""
        to = to or (f"[{self.target_address}]" if self.six else self.target_address)
        self.pair = Pair(self.net, TOOLS_CPU, tcpcopy=args, maps=",".join(f"{port}-{to}:{port + 8000}" for port in ports))
        self.pair.intercept_args = ["-i", "eth0", *intercept]  # its filter is made from the targets that it is told
        self.watch = Watch(self.net.router, "clients", self.target_address)
        self.pair.start()

    def begin(self, ports, *args, fast=False):
        self.serve(ports, fast)
        self.copy(ports, *args)

    def begin_web(self):
        """Two nginx, and the pair for port 80."""
        need("nginx", "nginx-light")
        need("wrk", "wrk")
        self.online, self.target = Nginx(self.online_host, 80, SERVERS_CPU), Nginx(self.target_host, 8080, SERVERS_CPU)
        self.copy([80])

    def load_web(self, name, requests, connections, **shape):
        """So many requests of wrk, all of them answered; return how many that were in a second."""
        url = self.online.url6 if self.six else self.online.url
        began = time.monotonic()
        result = Wrk(self.client, url, name, requests, connections, SERVERS_CPU, **shape).finish(120)
        took = time.monotonic() - began
        assert result["errors"] == 0, result
        until(lambda: self.target.count() >= self.online.count(), SETTLE, pause=0.1)
        return requests / took

    def end_web(self, requests):
        """Each request is there, and tcpcopy says so too; return the lags in seconds."""
        summary = self.end_copy()
        comparison = Comparison(self.online, self.target)
        assert len(comparison.online) == requests, f"the online server has {len(comparison.online)} of {requests} requests"
        assert comparison.differences() == [], f"{comparison.differences(3)} {summary}"
        assert summary["fidelity_percent"] == 100, summary
        return comparison.lags

    @contextlib.contextmanager
    def timed(self):
        """Where lags are measured. What tcpcopy, intercept and the target wait for a CPU meanwhile is in .waited, and in .slack unless that is none."""
        programs = self.pair.tcpcopy, self.pair.intercept, self.target.process
        before = waited_s(*programs)
        yield
        self.waited = waited_s(*programs) - before
        self.slack += self.waited if self.slack else 0

    def load_at(self, rate, seconds, **shape):
        """Open loop with lab/turn_load.c, to its end; what it says of itself."""
        words = [f"--{name}={value}" for name, value in shape.items()]
        process = self.client.start(f"load-{rate}", program("lab/turn_load"), f"--to={self.address}", "--port=80", f"--rate={rate}",
                                    f"--duration={seconds}s", *words, cpu=SERVERS_CPU)
        assert process.wait(seconds + 60) == 0, process.errors()
        return json.loads(process.output())

    def load(self, port=80, **shape):
        return Load(self.client, self.address, port, **shape)

    def settle(self, seconds=SETTLE, turns=0):
        """Until the target has had as many turns as the online server, or the time is over: the comparison tells. @turns: there are so many"""
        until(lambda: self.target.count() >= max(turns, self.online.count()), seconds, pause=0.1)

    def lags(self, port=80):
        """Seconds from a turn at the online server to the same one at the target."""
        there = self.target.turns()
        return [there[port + 8000, client, turn]["at"] - row["at"] for (at, client, turn), row in self.online.turns().items() if at == port]

    def end_copy(self):
        """Stop the pair, which has to be alive; its summary."""
        assert self.pair.tcpcopy.alive(), f"tcpcopy ended with status {self.pair.tcpcopy.code}\n{self.pair.tcpcopy.errors()}"
        assert self.pair.intercept.alive(), f"intercept ended with status {self.pair.intercept.code}\n{self.pair.intercept.errors()}"
        summary = self.pair.stop()
        assert summary["balance"] is True, summary
        frames = self.watch.frames()
        self.watch.close()
        assert frames == [], f"{len(frames)} packets of the copy are on the clients' wire"
        return summary

    def end_servers(self):
        for server in (self.online, self.target):
            assert server.process.stop() == 0, server.process.errors()

    def end(self):
        """All is there, byte for byte, and tcpcopy says so too."""
        self.settle()
        summary = self.end_copy()
        self.end_servers()
        here, there = self.online.whole(), self.target.whole(8000)
        assert here, "the online server has seen nothing: this scenario proves nothing"
        missing, extra = here - there, there - here
        assert not missing and not extra, (f"only online: {[m[:3] for m in missing][:5]} ({len(missing)}), "
                                           f"only at the target: {[e[:3] for e in extra][:5]} ({len(extra)}); {summary}")
        assert summary["fidelity_percent"] == 100, summary
        return summary

    def end_with_losses(self):
        """What is missing was lost with its session, for a reason that has a name: nothing is missing in the middle of what is there."""
        summary = self.end_copy()
        self.end_servers()
        here, there = self.online.whole(), self.target.whole(8000)
        missing, extra = here - there, there - here
        # of a session whose beginning the kernel dropped nothing is known but that drop
        unseen = max(0, here.total() - summary["sessions"]["opened"]) if summary["capture"]["kernel_drops"] else 0
        ended = {reason: n for reason, n in summary["sessions"]["ended"].items() if reason != "closed"}
        assert missing.total() <= sum(ended.values()) + unseen, f"{missing.total()} connections are not whole; {summary}"
        assert not missing or summary["bytes"]["lost"], summary
        said, copied = ({key[1:]: row["crc"] for key, row in server.turns().items()} for server in (self.online, self.target))
        for client, turn in copied:
            assert said.get((client, turn)) == copied[client, turn] and (turn == 1 or (client, turn - 1) in copied), \
                f"turn {turn} of {client} is not as the online server had it"
        assert extra.total() <= missing.total(), f"{extra}; {summary}"
        return summary


def run(name, scale=1, six=False, strict=False, say=lambda text: None):
    """Play one in a lab of its own; exceptions tell. Return its remark, or None."""
    with Lab(say) as lab:
        return SCENARIOS[name].play(Stage(lab, six, scale, strict))
