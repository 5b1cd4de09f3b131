#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-2-Clause
"""scenario.py [NAME...] - what users' traffic and networks do to a copy, one scenario after another; what `make lab` runs

Each scenario has three hosts of its own, tcpcopy and intercept, and ends with the same questions: has the target all that the online
server has, byte for byte; do the books of tcpcopy balance; are both programs alive; was the clients' wire quiet. The servers count,
not tcpcopy. Where a scenario itself prevents a full copy, it says what may be missing, and that has to have a name.

A scenario is a function of this file with @scenario, called with a stage and a scale: 1 in tests, more for `make lab`. What it
returns, if anything, is a remark for the table.
stdout is a table. Exit status: 0 when all passed; 1 when one failed; 2 for a name that there is not; 4 without the rights for namespaces.
"""

import collections
import contextlib
import json
import os
import shutil
import sys
import time
import traceback

from lab import Lab, ThreeHosts, Watch, cpus, exit_on_signals, require_root, until
from load import Load, Session, flood_syns
from pair import Pair, program
from web import percentile

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scenario_server.py")
SERVERS_CPU, TOOLS_CPU = cpus()
LAB_SCALE = 5
SETTLE = 10             # seconds that the copy gets to catch up
SCENARIOS = {}


class Skip(Exception):
    """A tool is not there; the text says which, and where it comes from."""


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


def need(command, package):
    if not shutil.which(command) and not os.path.exists(f"/usr/sbin/{command}"):
        raise Skip(f"there is no {command}; on Debian it comes with {package}")


class Turns:
    """scenario_server.py on a host, and what it wrote down."""

    def __init__(self, host, ports):
        self.log = os.path.join(host.lab.folder, f"turns-{host.name}")
        self.process = host.start(f"server-{host.name}", sys.executable, "-B", SERVER, self.log,
                                  *(f"{port}={json.dumps(manner)}" for port, manner in ports.items()), cpu=SERVERS_CPU)
        assert until(lambda: "ready" in self.process.output(), 10), self.process.errors()

    def rows(self):
        with open(self.log, encoding="ascii") as f:
            return [json.loads(row) for row in f.read().splitlines(keepends=True) if row.endswith("\n")]

    def turns(self):
        """{(port, client, number): row}"""
        return {(row["port"], row["client"], row["turn"]): row for row in self.rows() if "turn" in row}

    def connections(self):
        return [row for row in self.rows() if "turns" in row]


class Stage:
    """The hosts of one scenario. ports: {port at the online server: (its manner there, the manner of port + 8000 at the target)}"""

    def __init__(self, lab, six):
        self.lab, self.six = lab, six
        self.net = ThreeHosts(lab, 1)
        self.client, self.online_host, self.target_host = self.net.clients[0], self.net.online, self.net.target
        self.address, self.target_address = (host.ip6 if six else host.ip for host in (self.net.online, self.net.target))
        self.online = self.target = self.pair = self.watch = None

    def serve(self, ports):
        self.online = Turns(self.online_host, {port: manners[0] for port, manners in ports.items()})
        self.target = Turns(self.target_host, {port + 8000: manners[1] for port, manners in ports.items()})

    def copy(self, ports, *args, to=None):
        """Start the pair, for these ports."""
        to = to or (f"[{self.target_address}]" if self.six else self.target_address)
        self.pair = Pair(self.net, TOOLS_CPU, tcpcopy=args, maps=",".join(f"{port}-{to}:{port + 8000}" for port in ports))
        self.pair.intercept_args = ["-i", "eth0"]  # its filter is made from the targets that it is told
        self.watch = Watch(self.net.router, "clients", self.target_address)
        self.pair.start()

    def begin(self, ports, *args):
        self.serve(ports)
        self.copy(ports, *args)

    def load(self, port=80, **shape):
        return Load(self.client, self.address, port, **shape)

    def settle(self, seconds=SETTLE):
        """Until the target has had as many turns as the online server, or the time is over: the comparison tells."""
        until(lambda: len(self.target.turns()) >= len(self.online.turns()), seconds, pause=0.1)

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

    def end(self):
        """All is there, byte for byte, and tcpcopy says so too."""
        self.settle()
        summary = self.end_copy()
        for server in (self.online, self.target):
            assert server.process.stop() == 0, server.process.errors()
        here = collections.Counter((r["port"], r["client"], r["bytes"], r["digest"]) for r in self.online.connections() if r["bytes"])
        there = collections.Counter((r["port"] - 8000, r["client"], r["bytes"], r["digest"]) for r in self.target.connections() if r["bytes"])
        assert here, "the online server has seen nothing: this scenario proves nothing"
        missing, extra = here - there, there - here
        assert not missing and not extra, (f"only online: {[m[:3] for m in missing][:5]} ({len(missing)}), "
                                           f"only at the target: {[e[:3] for e in extra][:5]} ({len(extra)}); {summary}")
        assert summary["fidelity_percent"] == 100, summary
        return summary


@contextlib.contextmanager
def stage(six=False, say=lambda text: None):
    with Lab(say) as lab:
        yield Stage(lab, six)


def offloads(s, state):
    for host, devices in ((s.client, ["eth0"]), (s.online_host, ["eth0"]), (s.target_host, ["eth0"]),
                          (s.net.router, ["port-client1", "port-online", "port-target"])):
        for device in devices:
            host.run("ethtool", "-K", device, "tso", state, "gso", state, "gro", state)


def waited_s(*processes):
    """Seconds that they were ready to run, but other work had the CPU."""
    total = 0
    for process in processes:
        for task in os.listdir(f"/proc/{process.pid}/task"):
            with open(f"/proc/{process.pid}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[1])
    return total / 1e9


def upload(s, scale):
    """Bodies of 64 KB, 1 MB and 10 MB, answers of 1 MB; three uploads of 10 MB are timed, one after another."""
    s.begin({80: ({}, {})})
    loads = [s.load(connections=4, turns=4 * scale, body=64 << 10), s.load(connections=2, turns=scale, body=1 << 20),
             s.load(connections=2, turns=2 * scale, answer=1 << 20)]
    for load in loads:
        load.finish()
    s.settle()

    programs = s.pair.tcpcopy, s.pair.intercept, s.target.process
    session, lags, own = Session(s.client, s.address, 80), [], []
    for turn in range(1, 4):
        before = waited_s(*programs)
        session.turn(10 << 20, 500)
        s.settle()
        waited = waited_s(*programs) - before
        here, there = ([row["at"] for row in server.turns().values() if row["bytes"] == 10 << 20] for server in (s.online, s.target))
        assert len(here) == len(there) == turn, f"the target has {len(there)} of {turn} bodies of 10 MB"
        lags.append(there[-1] - here[-1])
        own.append(lags[-1] - waited)
    session.close()
    s.end()
    text = "bodies of 10 MB arrive later by " + ", ".join(f"{lag * 1000:.0f}" for lag in lags) + " ms"
    # tcpcopy is nice: what it waited for a busy machine is not its own
    assert sorted(own)[1] <= 0.1, f"{text}; without the waits for a CPU by {', '.join(f'{lag * 1000:.0f}' for lag in own)} ms"
    return text


@scenario
def large_bodies_with_offloads(s, scale):
    return upload(s, scale)


@scenario
def large_bodies_without_offloads(s, scale):
    need("ethtool", "ethtool")
    offloads(s, "off")
    return upload(s, scale)


class Redis:
    def __init__(self, host, port):
        self.host, self.path = host, os.path.join(host.lab.folder, f"redis-{host.name}.sock")
        self.process = host.start(f"redis-{host.name}", "redis-server", "--port", str(port), "--bind", host.ip, host.ip6,
                                  "--unixsocket", self.path, "--save", "", "--protected-mode", "no", "--enable-debug-command", "yes",
                                  cpu=SERVERS_CPU)
        assert until(lambda: os.path.exists(self.path), 10), self.process.output()

    def cli(self, *command):
        """By the socket in the file system: nothing of it is copied."""
        return self.host.run("redis-cli", "-s", self.path, *command)

    def calls(self):
        """{command: how often}, without what the lab itself asks and says"""
        rows = [row.split(":") for row in self.cli("info", "commandstats").splitlines() if row.startswith("cmdstat_")]
        calls = {name: int(values.split(",")[0].split("=")[1]) for name, values in rows}
        return {name: count for name, count in calls.items() if name not in ("cmdstat_info", "cmdstat_debug", "cmdstat_publish")}


def begin_redis(s):
    need("redis-server", "redis-server")
    need("redis-benchmark", "redis-tools")
    servers = Redis(s.online_host, 80), Redis(s.target_host, 8080)
    s.copy([80])
    return servers


def end_redis(s, online, target):
    until(lambda: target.calls() == online.calls(), SETTLE, pause=0.2)
    summary = s.end_copy()
    assert target.calls() == online.calls(), summary
    assert target.cli("debug", "digest") == online.cli("debug", "digest")
    assert summary["fidelity_percent"] == 100, summary


@scenario
def redis_alone_and_in_pipelines_of_16(s, scale):
    online, target = begin_redis(s)
    for pipeline in (1, 16):
        s.client.run("redis-benchmark", "-h", s.address, "-p", "80", "-q", "-c", "20", "-n", str(1600 * scale), "-r", "100",
                     "-P", str(pipeline), "-t", "get,set,incr,lpush")
    assert online.calls()["cmdstat_lpush"] == 3200 * scale
    end_redis(s, online, target)


@scenario
def redis_pushes_that_only_the_online_server_sends(s, scale):
    online, target = begin_redis(s)
    sessions = [Session(s.client, s.address, 80) for _ in range(3)]
    for session in sessions:
        session.sock.sendall(b"SUBSCRIBE news\r\n")
        session.hear(len(b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"))
    for i in range(5 * scale):
        online.cli("publish", "news", "x" * 1000)
        for session in sessions:
            session.hear(len(b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1000\r\n") + 1002)
            if i % 2:
                session.sock.sendall(b"PING\r\n")
                session.hear(len(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"))
    for session in sessions:
        session.sock.sendall(b"UNSUBSCRIBE\r\n")
        session.hear(len(b"*3\r\n$11\r\nunsubscribe\r\n$4\r\nnews\r\n:0\r\n"))
        session.close()
    assert online.calls()["cmdstat_ping"] == 3 * (5 * scale // 2)
    end_redis(s, online, target)


@scenario
def answers_of_the_target_that_differ(s, scale):
    """Open loop: 99 of 100 turns are at the target within 100 ms. A copy with equal answers tells what a busy machine adds."""
    manners = [{}, {"add": -20}, {"add": 20}, {"factor": 0.5}, {"factor": 2}, {"chunk_ms": 30}]
    ports = {80 + i: ({}, manner) for i, manner in enumerate(manners)}
    s.begin(ports)
    loads = [s.load(port, connections=4, turns=10 * scale, answer=3000, period=0.2) for port in ports]
    for load in loads:
        load.finish()
    s.settle()
    lags = {port: s.lags(port) for port in ports}
    s.end()
    equal, *differing = ([lag * 1000 for lag in lags[port]] for port in ports)
    text = f"99 of 100 within {percentile(sum(differing, []), 99):.0f} ms, with equal answers {percentile(equal, 99):.0f} ms; half of them within " \
        + ", ".join(f"{percentile(each, 50):.0f} ms ({manner})" for manner, each in zip(manners[1:], differing))
    assert percentile(sum(differing, []), 99) < 100 + percentile(equal, 99), text
    assert all(percentile(each, 50) < 50 for each in differing), text
    return text


@scenario
def started_while_connections_are_busy(s, scale):
    """What came before the joining is missing; from there on nothing is."""
    ports = {80: ({}, {})}
    s.serve(ports)
    load = s.load(connections=10, turns=200 * scale, period=0.01)
    time.sleep(0.5)
    s.copy(ports)
    joined_by = time.monotonic() + 2
    load.finish()
    s.settle(1)
    here, there = s.online.turns(), s.target.turns()
    summary = s.end_copy()
    assert summary["bytes"]["lost"] == {}, summary
    said, copied = collections.defaultdict(list), collections.defaultdict(list)
    for side, turns in ((said, here), (copied, there)):
        for (_, client, number), row in sorted(turns.items()):
            side[client].append((row["crc"], row["at"]))
    assert len(said) == 10
    for client, rows in said.items():
        crcs, had = [crc for crc, _ in rows], [crc for crc, _ in copied[client]]
        assert had and crcs[-len(had):] == had, f"{client}: {len(had)} of {len(crcs)} turns, and not the last ones"
        assert rows[-len(had)][1] < joined_by, f"{client} was joined only at turn {len(crcs) - len(had)} of {len(crcs)}"


@scenario
def slow_target(s, scale):
    """The target needs 50 ms; another does not read for seconds."""
    stop_s = min(2 * scale, 5)
    ports = {80: ({}, {"delay_ms": 50}), 81: ({}, {"stop_ms": stop_s * 1000})}
    s.begin(ports)
    loads = [s.load(80, connections=10, turns=15 * scale, period=0.1), s.load(81, connections=4, turns=10, body=64 << 10, period=0.1)]
    for load in loads:
        load.finish()
    s.settle(stop_s + SETTLE)
    s.end()


@scenario
def ends_and_beginnings(s, scale):
    """A client's RST, half-close, the server closes first, speaks first, and idle times."""
    greeting = len(b"220 ready\r\n")
    s.begin({80: ({}, {}), 81: ({"turns": 3}, {"turns": 3}), 82: ({"greet_ms": 0}, {"greet_ms": 300})})
    idle = [Session(s.client, s.address, 80) for _ in range(3)]
    for session in idle:
        session.turn(100, 100)
    left = time.monotonic()
    for _ in range(5 * scale):
        resets, halves, closed, greeted = (Session(s.client, s.address, port) for port in (80, 80, 81, 82))
        greeted.hear(greeting)
        for _ in range(3):
            for session in (resets, halves, closed, greeted):
                session.turn(300, 300)
        halves.say(1000, 1000)
        halves.half_close()
        halves.hear(1000)
        for session in (halves, closed):
            session.hear_end()
            session.close()
        greeted.close()
        resets.reset()
    time.sleep(max(0.0, left + min(2 * scale, 10) - time.monotonic()))
    for session in idle:
        session.turn(100, 100)
        session.close()
    s.end()


@scenario
def route_with_a_small_mtu(s, scale):
    """Packets have the size that the route allows, whatever the device does."""
    need("ethtool", "ethtool")
    s.online_host.run("ip", "route", "add", s.target_address, "dev", "eth0", "mtu", "1400")
    # what leaves in one piece is then cut before it is seen on the wire
    s.online_host.run("ethtool", "-K", "eth0", "tso", "off", "gso", "off")
    s.begin({80: ({}, {})})
    wire = Watch(s.target_host, "eth0", s.target_address)
    s.load(connections=4, turns=5 * scale, body=20000).finish()
    s.settle()
    sizes = [len(frame) - 14 for frame in wire.frames()]
    wire.close()
    s.end()
    assert 1300 < max(sizes) <= 1400, f"the longest packet has {max(sizes)} bytes"


@scenario
def interface_down_for_two_seconds(s, scale):
    """TCP of the clients outlives it, and so does the copy."""
    s.begin({80: ({}, {})})
    load = s.load(connections=10, turns=60 * scale, period=0.1)
    time.sleep(1)
    s.online_host.link("set", "eth0", "down")
    time.sleep(2)
    s.online_host.link("set", "eth0", "up")
    s.online_host.route("default", "10.2.0.1")
    load.finish()
    s.end()


def firewall(host, *rules):
    """Rules of nft for the chains in and out."""
    host.run("nft", "add table inet lab")
    for chain, hook in (("in", "input"), ("out", "output")):
        host.run("nft", f"add chain inet lab {chain} {{ type filter hook {hook} priority 0; }}")
    for rule in rules:
        host.run("nft", f"add rule inet lab {rule}")


def copy_in_vain(s, scale, to=None):
    """Clients do not notice, and all that is lost is lost for a reason."""
    s.copy([80], to=to)
    s.load(connections=10, turns=10 * scale, period=0.1).finish()
    summary = s.end_copy()
    assert s.target.turns() == {}
    assert summary["bytes"]["delivered"] == 0
    assert summary["bytes"]["lost"], summary
    assert sum(summary["bytes"]["lost"].values()) == summary["bytes"]["to_copy"], summary
    assert summary["fidelity_percent"] == 0, summary
    return "lost for: " + ", ".join(f"{reason} ({count} bytes)" for reason, count in summary["bytes"]["lost"].items())


@scenario
def target_without_a_listener(s, scale):
    """Its host answers with RST."""
    s.serve({80: ({}, {})})
    assert s.target.process.stop() == 0
    return copy_in_vain(s, scale)


@scenario
def target_that_refuses(s, scale):
    """Its firewall answers with ICMP, which must not get to the clients either."""
    need("nft", "nftables")
    s.serve({80: ({}, {})})
    firewall(s.target_host, "in tcp dport 8080 counter reject")
    remark = copy_in_vain(s, scale)
    assert "packets 0 " not in s.target_host.run("nft", "list", "ruleset"), "nothing was refused: this proves nothing"
    return remark


@scenario
def target_that_is_not_there(s, scale):
    """No host has its address."""
    s.serve({80: ({}, {})})
    return copy_in_vain(s, scale, to="[fd02::99]" if s.six else "10.2.0.99")


@scenario
def conntrack_and_invalid_drop(s, scale):
    """On the online host; the copy passes, and nobody tracks it."""
    need("nft", "nftables")
    need("conntrack", "conntrack")
    firewall(s.online_host, "in ct state invalid drop", "out ct state invalid drop")
    s.begin({80: ({}, {})})
    s.load(connections=10, turns=20 * scale, period=0.02).finish()
    for _ in range(20 * scale):
        session = Session(s.client, s.address, 80)
        session.turn(200, 200)
        session.close()
    s.settle()
    tracked = s.online_host.run("conntrack", "-L", "-f", "ipv6" if s.six else "ipv4").splitlines()
    assert any(f"dst={s.address} " in row for row in tracked), "connection tracking is not at work: this proves nothing"
    copies = [row for row in tracked if f"dst={s.target_address} " in row and "dport=8080 " in row]
    s.end()
    assert copies == [], f"{len(copies)} entries for the copy, as {copies[0]}"


@scenario
def capture_on_a_port_of_a_bridge(s, scale):
    """The address is the bridge's; the device that is read has none."""
    host = s.online_host
    host.link("add", "br0", "type", "bridge")
    host.run("ip", "address", "flush", "dev", "eth0")
    host.link("set", "eth0", "master", "br0")
    host.address("br0", "10.2.0.2/24")
    host.address("br0", "fd02::2/64")
    host.link("set", "br0", "up")
    # routes of the other family are still there
    host.run("ip", "route", "replace", "default", "via", "10.2.0.1")
    host.run("ip", "-6", "route", "replace", "default", "via", "fd02::1")
    s.begin({80: ({}, {})}, "-i", "eth0")
    s.load(connections=10, turns=20 * scale, period=0.02).finish()
    s.end()


@scenario
def target_that_is_the_online_address(s, _scale):
    """Refused at once: it would copy its own copies."""
    to = f"[{s.address}]" if s.six else s.address
    process = s.online_host.start("tcpcopy", program("tcpcopy"), "-x", f"80-{to}:80", "-s", s.net.assistant.ip, cpu=TOOLS_CPU)
    assert until(lambda: not process.alive(), 3), "it runs"
    assert process.code in (1, 2), process.errors()
    assert s.address in process.errors(), process.errors()


def resident_kb(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
        return next(int(row.split()[1]) for row in f if row.startswith("VmRSS:"))


@scenario
def flood_of_syns(s, scale):
    """None of them completes: no session, no packet to the target, flat memory; and who is real is copied."""
    s.begin({80: ({}, {})})
    s.online_host.sysctl("net.ipv4.tcp_syncookies=1")
    s.load(connections=5, turns=2).finish()
    s.settle()
    wire = Watch(s.target_host, "eth0", s.target_host.ip)
    syns = 12000 * scale
    before = resident_kb(s.pair.tcpcopy)
    flood_syns(s.client, "10.1.0", s.net.online.ip, 80, syns, 8000)
    growth = resident_kb(s.pair.tcpcopy) - before
    strange = [frame for frame in wire.frames() if len(frame) > 34 and frame[26:29] == b"\x0a\x01\x00" and frame[29] >= 100]
    wire.close()
    s.load(connections=5, turns=2).finish()
    summary = s.end()
    assert strange == [], f"{len(strange)} packets of the flood went to the target"
    assert summary["sessions"]["opened"] == 10, summary
    # a SYN waits for its handshake in room that was set aside at start, and touched only now
    assert growth < 6144, f"it grew by {growth} kB"
    return f"{growth} kB more after {syns} SYNs"


def run(name, scale, six=False, say=lambda text: None):
    """Run one in a lab of its own; exceptions tell. Return its remark, or None."""
    with stage(six, say) as s:
        return SCENARIOS[name](s, scale)


def main():
    unknown = set(sys.argv[1:]) - SCENARIOS.keys()
    if unknown:
        print(f"scenario.py: no such scenario: {', '.join(sorted(unknown))}; there are: {', '.join(SCENARIOS)}", file=sys.stderr)
        return 2
    require_root("make lab")
    exit_on_signals()
    failed = False
    for name in sys.argv[1:] or SCENARIOS:
        began, outcome = time.monotonic(), "passed"
        try:
            remark = run(name, LAB_SCALE)
            outcome += f": {remark}" if remark else ""
        except Skip as e:
            outcome = f"skipped: {e}"
        except Exception as e:  # pylint: disable=broad-exception-caught
            failed = True
            outcome = f"FAILED: {str(e).splitlines()[0] if str(e) else traceback.format_exc().splitlines()[-2].strip()}"
        print(f"{name.replace('_', ' '):50} {time.monotonic() - began:6.1f} s  {outcome}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
