# SPDX-License-Identifier: BSD-2-Clause
"""test_offline.py - replay of capture files: what the target hears, and when

    online (tcpcopy, any host would do) ---- target (recorder, a server that writes down what it hears)
                                               |
                                               | its default route: whatever address a client of a capture has
                                               v
                                             assistant (intercept)

The hosts are those of lab/lab.py, class ThreeHosts. Captures are made up by lab/capture.py; those of real traffic lie in the folder
that TCPCOPY_PCAPS names, with what each client said in expected/NAME.tsv.
"""

import collections
import csv
import gzip
import hashlib
import ipaddress
import itertools
import json
import os
import signal
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.environ.get("TCPCOPY_SOURCE") or os.path.join(os.path.dirname(__file__), "..", ".."), "lab"))

from capture import ACK, ETHERNET, PSH, RAW, Conversation, merged, pcap, pcapng, write  # pylint: disable=wrong-import-position
from lab import Lab, ThreeHosts, cpus, until  # pylint: disable=wrong-import-position
from pair import listens, program  # pylint: disable=wrong-import-position

SERVERS_CPU, TOOLS_CPU = cpus()
RECORDER = os.path.join(os.path.dirname(sys.modules["lab"].__file__), "recorder.py")
MANNERS = ("echo", "silent", "bulk", "greet", "late")
PORTS = 80              # of each manner
FIRST_PORT = 10000
INTERCEPT_PORT = 36524
SERVER = ("10.9.0.1", 80)
POOL, POOL6 = "192.0.2.x", "2001:db8::/120"     # for clients whose own addresses never leave a host
REAL_TIME = ("chrt", "-f", "10")
EMPTY = hashlib.sha256().hexdigest()


class Stage:
    """The hosts, a recorder on the target, and intercept."""

    def __init__(self, lab):
        self.lab, self.net = lab, ThreeHosts(lab, 0)
        for via in (self.net.assistant.ip, self.net.assistant.ip6):
            self.net.target.route("default", via)
        ranges = {m: (FIRST_PORT + i * PORTS, FIRST_PORT + (i + 1) * PORTS - 1) for i, m in enumerate(MANNERS)}
        self.ports = {m: itertools.count(first) for m, (first, _) in ranges.items()}
        self.log, self.rows, self.read_bytes = self.path("heard"), [], 0
        recorder = self.net.target.start("recorder", sys.executable, "-B", RECORDER, self.log,
                                         *(f"{m}:{first}-{last}" for m, (first, last) in ranges.items()), cpu=SERVERS_CPU)
        assert until(lambda: recorder.output() == "ready\n", 5), recorder.errors()
        self.intercept = self.start_intercept()

    def start_intercept(self):
        intercept = self.net.assistant.start("intercept", program("intercept"), "-i", "eth0", "-F",
                                             f"tcp and src portrange {FIRST_PORT}-{FIRST_PORT + len(MANNERS) * PORTS}", cpu=TOOLS_CPU)
        assert until(lambda: listens(intercept, INTERCEPT_PORT), 5), intercept.errors()
        return intercept

    def path(self, name):
        return os.path.join(self.lab.folder, name)

    def write(self, name, data):
        return write(self.path(name), data)

    def heard(self):
        """What the recorder wrote until now."""
        with open(self.log, encoding="ascii") as f:
            f.seek(self.read_bytes)
            for row in f.read().splitlines(keepends=True):
                if row.endswith("\n"):
                    self.read_bytes += len(row)
                    self.rows.append(json.loads(row))
        return self.rows

    def replay(self, path, *args, **more):
        """Start to replay a file."""
        return Replay(self, path, args, **more)

    def replayed(self, frames, *args, **more):
        """Replay made-up frames to the end."""
        replay = Replay(self, None, args, **more)
        replay.start(self.write(f"{replay.port}.pcap", pcap(frames)))
        return replay.finish()


class Replay:
    """One tcpcopy that reads a file; each port of the online server is another one at the target.

    @online: ports; @families: of the clients, 4 and 6; @pipe: a shell's words, to read what they write
    """

    def __init__(self, stage, path, args, manner="echo", online=(80,), families=(4,), pipe=None, prefix=()):
        self.stage, self.args, self.pipe, self.prefix = stage, args, pipe, prefix
        self.ports = {next(stage.ports[manner]): port for port in online}
        self.port = min(self.ports)
        self.maps, self.process, self.seconds = [], None, None
        for port, server in self.ports.items():
            self.maps += [f"{server}-{stage.net.target.ip}:{port}"] if 4 in families else []
            self.maps += [f"{server}-[{stage.net.target.ip6}]:{port}"] if 6 in families else []
        if path is not None:
            self.start(path)

    def start(self, path):
        command = [*self.prefix, program("tcpcopy"), "-x", ",".join(self.maps), "-s", self.stage.net.assistant.ip, "-i", path, "--json",
                   *self.args]
        if self.pipe:
            words = " ".join(f"'{word}'" for word in command)
            command = ["sh", "-c", f"{self.pipe} | {words}"]
        self.seconds = -time.monotonic()
        self.process = self.stage.net.online.start("tcpcopy", *command, cpu=TOOLS_CPU)

    def ended(self):
        if self.seconds < 0 and not self.process.alive():
            self.seconds += time.monotonic()
        return self.seconds > 0

    def finish(self, seconds=60):
        assert until(self.ended, seconds), self.process.errors()
        return self

    @property
    def summary(self):
        rows = self.process.output().splitlines()
        return json.loads(rows[-1]) if rows else None

    def heard(self, sessions):
        """What the recorder heard of so many sessions, in the order in which they were accepted."""
        def rows():
            return [row for row in self.stage.heard() if row["port"] in self.ports]
        until(lambda: len(rows()) >= sessions, 5)
        return sorted(rows(), key=lambda row: row["number"])

    def assert_whole(self, *conversations):
        """It ended by itself, and the target heard what these clients said, each on a connection of its own."""
        assert self.process.code == 0, self.process.errors()
        said = collections.Counter((f"{c.client[0]}:{c.client[1]}", hashlib.sha256(c.said).hexdigest()) for c in conversations)
        heard = self.heard(len(conversations))
        assert collections.Counter((row["client"], row["digest"]) for row in heard) == said
        assert self.summary["fidelity_percent"] == 100
        assert self.summary["sessions"]["complete"] == len(conversations)
        assert self.summary["balance"] is True
        return heard


@pytest.fixture(name="stage", scope="module")
def fixture_stage(request):
    with Lab(print) as lab:
        yield Stage(lab)
        lab.keep = request.session.testsfailed > 0


def client(n):
    return f"10.1.0.{10 + n % 200}", 20000 + n


def talk(n=0, turns=3, begin=0.1, pause=0.02, close=True):
    """A client that says some turns, each after the answer to the one before."""
    c = Conversation(client(n), SERVER, isn=1000 + n * 1_000_000).open(begin)
    for i in range(turns):
        c.turn(begin + pause * (i + 1), b"turn %d of %d\n" % (i, n))
    return c.close(begin + pause * (turns + 1)) if close else c


# ---- when ----


def arrivals(replay, conversations):
    """For each conversation, when its first byte reached the target; seconds on any clock."""
    at = {row["client"]: row["reads"][0][0] for row in replay.heard(len(conversations))}
    return [at[f"{c.client[0]}:{c.client[1]}"] for c in conversations]


def due(frames, speed, limit):
    """For each recorded time, when a replay is to be there."""
    position, before, times = 0, frames[0][0], {}
    for at, *_ in frames:
        position += min(at - before, limit)
        times[at], before = position / speed, at
    return times


@pytest.mark.parametrize("args, speed, limit", [((), 1, 60), (("-a", "2"), 2, 60), (("-a", "0.5"), 0.5, 60), (("-a", "2", "-I", "300"), 2, 0.3)])
def test_packets_arrive_at_their_recorded_times_and_none_is_early_after_a_gap(stage, args, speed, limit):
    recorded = [0.3 + i * 0.02 + (0.7 if i >= 20 else 0) for i in range(40)]
    talks = [Conversation(client(i), SERVER).open(at - 0.25).say(at, b"hello").close(at + 0.01) for i, at in enumerate(recorded)]
    frames = merged(*talks)
    planned = [due(frames, speed, limit)[at] for at in recorded]
    # that the machine has other things to do is no fault of tcpcopy's, nor does it come thrice
    for _ in range(3):
        replay = stage.replayed(frames, *args, prefix=REAL_TIME)
        replay.assert_whole(*talks)
        late = [arrival - plan for arrival, plan in zip(arrivals(replay, talks), planned)]
        late = sorted(1000 * (x - min(late)) for x in late)
        if late[29] <= 2:
            break
    # three in four, counted from the earliest: if one were early, all others would be late
    assert late[29] <= 2, f"ms after the earliest: {late}"


def test_a_clock_that_goes_back_stops_nothing_and_is_counted(stage):
    first, second, third = talk(0), talk(1), talk(2)
    swapped = first.frames[:]
    swapped[3], swapped[4] = (swapped[4][0], swapped[3][1]), (swapped[3][0], swapped[4][1])
    frames = [(at + 7200, *rest) for at, *rest in swapped] + second.frames + [(at + 3600, *rest) for at, *rest in third.frames]
    replay = stage.replayed(frames, "-I", "50")
    replay.assert_whole(first, second, third)
    assert replay.summary["capture"]["time_steps"] == 2
    assert replay.seconds < 5


def test_each_pass_is_further_connections_of_the_same_clients(stage):
    talks = [talk(0), talk(1, begin=0.15), talk(2, begin=0.2)]
    replay = stage.replayed(merged(*talks), "-T", "3", prefix=REAL_TIME)
    heard = replay.assert_whole(*talks * 3)
    begins = [row["reads"][0][0] for row in heard if row["client"].endswith(":20000")]
    length = merged(*talks)[-1][0] - talks[0].frames[0][0]
    assert begins[2] - begins[0] > 1.5 * length, "a pass began before the one before it was over"


def test_a_pass_waits_for_the_last_session_of_the_one_before_and_joins_open_connections_again(stage):
    slow = Conversation(client(0), SERVER).open(0.1)
    for i in range(12):  # each is answered after 100 ms, and --overlap is no longer than the rest of a session then
        slow.turn(0.2 + i / 10, b"turn %2d\n" % i, b"turn %2d\n" % i)
    slow.close(1.5)
    open_before = Conversation(client(1), SERVER).turn(0.1, b"first\n")
    first = len(open_before.said)
    open_before.turn(0.2, b"second\n").turn(0.3, b"third\n")
    replay = stage.replayed(merged(slow, open_before), "-T", "3", "-a", "1000", "--overlap", "300", manner="late")
    assert replay.process.code == 0, replay.process.errors()
    heard = collections.Counter((row["client"], row["digest"]) for row in replay.heard(6))
    assert heard == {(f"{c.client[0]}:{c.client[1]}", hashlib.sha256(said).hexdigest()): 3
                     for c, said in ((slow, slow.said), (open_before, open_before.said[first:]))}
    assert replay.summary["sessions"]["ended"] == {"closed": 3, "capture-end": 3}
    assert replay.summary["fidelity_percent"] == 100


def test_a_replay_that_is_slower_than_recorded_waits_longer_for_retransmissions(stage):
    c = Conversation(client(0), SERVER).open(0.05).turn(0.06, b"hello\n")
    lost = c.seq
    c.say(0.1, b"a" * 1400 + b"b" * 1400, lost=(0,))
    for i in range(8):
        c.say(0.12 + i / 20, b"c" * 100)
    c.up(0.55, PSH | ACK, b"a" * 1400, seq=lost)
    c.close(0.6)
    stage.replayed(c.frames, "-a", "0.2").assert_whole(c)


def test_a_target_that_is_slow_is_waited_for_however_fast_the_replay(stage):
    c = Conversation(client(0), SERVER).open(0.1)
    for i in range(20):
        c.turn(0.2 + i, b"turn %2d\n" % i, b"turn %2d\n" % i)
    c.close(30)
    row, = stage.replayed(c.frames, "-a", "1000", manner="late").assert_whole(c)
    times = [at for at, _ in row["reads"]]
    assert len(times) == 20, "turns came together"
    assert sorted(after - before for before, after in zip(times, times[1:]))[9] > 0.08


def test_a_replay_that_is_faster_than_the_target_waits_for_it_within_its_memory(stage):
    talks = [Conversation(client(i), SERVER).open(0.1 + i / 50) for i in range(12)]
    for i, c in enumerate(talks):
        for k in range(3):
            c.turn(0.2 + i / 50 + k, bytes([65 + k]) * 700_000)
        c.close(12)
    stage.replayed(merged(*talks), "-a", "1000", "-m", "16").assert_whole(*talks)


def test_a_session_may_be_as_late_as_it_is_unless_somebody_limits_that(stage):
    c = Conversation(client(0), SERVER).open(0.1)
    for i in range(20):
        c.turn(0.2 + i, b"turn %2d\n" % i, b"turn %2d\n" % i)
    c.close(30)
    replay = stage.replayed(c.frames, "-a", "1000", "--max-lag", "0.5", manner="late")
    assert replay.process.code == 0, replay.process.errors()
    assert replay.summary["sessions"]["ended"] == {"lag": 1}
    dry = stage.net.online.start("tcpcopy", program("tcpcopy"), "-x", f"80-{stage.net.target.ip}:{FIRST_PORT}", "-s", stage.net.assistant.ip,
                                 "-i", stage.path(f"{replay.port}.pcap"), "--dry-run", cpu=TOOLS_CPU)
    assert dry.wait(10) == 0
    assert "pace" in dry.output() and "behind" not in dry.output()


def test_a_file_waits_for_a_channel_that_is_lost_and_its_sessions_go_on(stage):
    early, late = talk(0, turns=40, pause=0.05), talk(1, begin=1.5)
    replay = stage.replay(stage.write("lost.pcap", pcap(merged(early, late))), "-k", "2")
    time.sleep(1)
    os.kill(stage.intercept.pid, signal.SIGKILL)
    time.sleep(5)  # longer than the target may owe an acknowledgement
    assert not replay.ended()
    stage.intercept = stage.start_intercept()
    replay.finish().assert_whole(early, late)


# ---- the end ----


def test_it_ends_soon_after_the_last_session_also_where_clients_left_theirs_open(stage):
    talks = [talk(0), talk(1, close=False)]
    replay = stage.replayed(merged(*talks))
    replay.assert_whole(*talks)
    assert replay.summary["sessions"]["ended"] == {"closed": 1, "capture-end": 1}
    assert replay.seconds < 10


def test_what_is_before_a_hole_arrives_and_the_end_of_the_file_is_the_end_of_waiting(stage):
    c = talk(0, turns=1, close=False)
    whole = len(c.said)
    c.say(0.3, b"a" * 1400 + b"b" * 1400 + b"c" * 1400, lost=(1,)).close(0.4)
    replay = stage.replayed(c.frames)
    assert replay.process.code == 0
    row, = replay.heard(1)
    assert row["digest"] == hashlib.sha256(c.said[:whole + 1400]).hexdigest()
    assert replay.summary["bytes"]["lost"] == {"hole": 2800}
    assert replay.summary["balance"] is True
    assert replay.seconds < 5


def test_of_a_file_that_was_cut_all_before_the_cut_is_replayed_and_the_rest_is_told(stage):
    talks = [talk(0), talk(1, begin=0.3)]
    replay = stage.replay(stage.write("cut.pcap", pcap(merged(*talks))[:-20])).finish()
    replay.assert_whole(*talks)
    assert "cut.pcap: truncated dump file" in replay.process.errors()
    assert replay.summary["capture"]["drops"] == {"short": 1}


# ---- what is read ----


FORMATS = {
    "pcap": lambda f: pcap(f, nano=False),
    "pcap-nanoseconds": pcap,
    "pcap-of-the-other-byte-order": lambda f: pcap(f, order=">"),
    "pcap-without-link-headers": lambda f: pcap([(at, frame[14:]) for at, frame in f], link=RAW),
    "pcapng": lambda f: pcapng((ETHERNET, f), resolution=6),
    "pcapng-nanoseconds": lambda f: pcapng((ETHERNET, f)),
    "pcapng-of-two-interfaces": lambda f: pcapng((ETHERNET, f), (ETHERNET, [])),
}


def test_every_format_of_libpcap_is_read(stage):
    talks = [talk(0), talk(1, begin=0.2)]
    for replay in [stage.replay(stage.write(name, data(merged(*talks)))) for name, data in FORMATS.items()]:
        replay.finish().assert_whole(*talks)


def test_standard_input_is_a_file_and_so_is_what_zcat_writes_into_it(stage):
    talks = [talk(0), talk(1, begin=0.2)]
    plain = stage.write("plain.pcap", pcap(merged(*talks)))
    packed = stage.write("plain.pcap.gz", gzip.compress(pcap(merged(*talks))))
    stage.replay("-", pipe=f"cat {plain}").finish().assert_whole(*talks)
    stage.replay("-", "-a", "2", pipe=f"zcat {packed}").finish().assert_whole(*talks)


def test_files_are_replayed_one_after_another_in_the_background_too(stage):
    talks = [talk(0, pause=0.3), talk(1, begin=1.4), talk(2, begin=1.5)]
    for i, c in enumerate(talks):
        stage.write(f"part{i}.pcap", pcap(c.frames))
    replay = Replay(stage, None, ("-d", "-P", stage.path("pid"), "-T", "2"), prefix=("env", "-C", stage.lab.folder))
    replay.start("part0.pcap,part1.pcap,part2.pcap")  # names that mean something in this folder alone
    assert replay.finish().process.code == 0, replay.process.errors()
    with open(stage.path("pid"), encoding="ascii") as f:
        pid = int(f.read())
    ended = until(lambda: not os.path.exists(stage.path("pid")), 10)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    assert ended
    replay.assert_whole(*talks * 2)


def test_clients_of_ipv6_are_copied_from_a_file(stage):
    c = Conversation(("2001:db8:1::7", 20000), ("2001:db8:9::1", 80)).open(0.1).turn(0.2, b"six\n").close(0.3)
    stage.replayed(c.frames, families=(6,)).assert_whole(c)


REFUSED = {
    "missing": ("--read", None, 1, "cannot open '{path}': no such file or directory"),
    "missing-with-a-speed": ("-a 2 -I 5 -T 2 -i", None, 1, "-i: '{path}': there is no such file, and no such device"),
    "missing-as-a-device": ("-i", None, 1, "-i: '{path}': there is no such file, and no such device"),
    "garbage": ("-i", b"no packets, but words " * 10, 1, "cannot read '{path}': unknown file format"),
    "empty": ("-i", b"", 1, "cannot read '{path}': truncated dump file"),
    "compressed": ("-i", gzip.compress(b"x" * 100), 1, "(it is compressed: unpack it, or pipe zcat into '-')"),
    "cut-in-its-first-packet": ("-i", pcap(talk().frames[:1])[:-1], 1, "cannot read '{path}': truncated dump file"),
    "several-link-types": ("-i", pcapng((ETHERNET, talk().frames), (RAW, [])), 1, "(a file for each link type is needed: capture, or split, it so)"),
    "unknown-link-type": ("-i", pcap(talk().frames, link=105), 1, "its link type IEEE802_11 (105) is not supported"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_in_words(stage, name):
    option, data, status, words = REFUSED[name]
    path = stage.path(f"{name}.pcap")
    if data is not None:
        write(path, data)
    refused = stage.net.online.start("tcpcopy", program("tcpcopy"), "-x", f"80-{stage.net.target.ip}:{FIRST_PORT}", "-s", stage.net.assistant.ip,
                                     *option.split(), path, cpu=TOOLS_CPU)
    assert refused.wait(10) == status
    assert "tcpcopy: " in refused.errors() and words.format(path=path) in refused.errors()


def test_a_wrong_map_is_told_with_the_server_that_the_file_has(stage):
    replay = stage.replayed(merged(talk(0), talk(1)), online=(8080,))
    assert replay.process.code == 0
    assert "all packets go to addresses that no -x names; most connections are opened to port 80 of 10.9.0.1\n" in replay.process.errors()


def test_a_file_without_packets_is_told_to_be_one(stage):
    replay = stage.replayed(talk().frames, "-F", "udp")
    assert replay.process.code == 0
    assert "no packet was read: the file has none, or none that -F lets through" in replay.process.errors()


# ---- captures of real traffic ----

PCAPS = os.environ.get("TCPCOPY_PCAPS")
# Not plain TCP over a link: tunnels are not looked into, and libpcap reads no file of several link types
BEYOND = ("geneve-options-http.pcap", "gre-teb-frag-http.pcap", "multi-interface.pcapng", "vxlan-ssh.pcap")
SERVERS_SPEAK_FIRST = ("ftp-", "imap", "mysql-", "gen-mysqlslap", "pop3", "smtp-", "ssh-")
AT_ONCE = 10
Stream = collections.namedtuple("Stream", "client server port bytes extent digest notes")


def address(text):
    ip, port = text.rsplit(":", 1)
    return ipaddress.ip_address(ip.strip("[]")), int(port)


def streams(name):
    """What tshark found in a capture."""
    with open(os.path.join(PCAPS, "expected", name + ".tsv"), encoding="ascii") as f:
        for row in csv.DictReader(f, delimiter="\t"):
            length = int(row["c2s_contiguous"])
            digest = row["sha256_c2s_32"] if length > 0 else EMPTY[:32]
            yield Stream(address(row["client"]), *address(row["server"]), length, int(row["c2s_extent"]), digest, row["notes"].split())


def captures():
    if PCAPS is None:
        return []
    names = sorted(name.removesuffix(".tsv") for name in os.listdir(os.path.join(PCAPS, "expected")))
    return [(name, manner) for name in names if name not in BEYOND
            for manner in ("greet" if name.startswith(SERVERS_SPEAK_FIRST) else "echo", *(("silent", "bulk") if "tls-" in name else ()))]


class Captured:
    """A capture of real traffic, replayed."""

    def __init__(self, stage, name, manner):
        self.streams = list(streams(name))
        self.whole = [s for s in self.streams if "nosyn" not in s.notes]
        self.mapped = any(s.client[0].is_loopback for s in self.streams)
        families = {s.client[0].version for s in self.streams}
        path = os.path.join(PCAPS, name)
        args = ["-a", "1000", "-I", "1000", "--max-lag", "60"]
        if self.mapped:
            args += ["-c", ",".join({4: POOL, 6: POOL6}[family] for family in sorted(families))]
        packed = name.endswith(".gz")
        self.replay = stage.replay("-" if packed else path, *args, manner=manner, online=sorted({s.port for s in self.streams}), families=families,
                                   pipe=f"zcat {path}" if packed else None)

    def ended(self):
        return self.replay.ended()

    def expected(self):
        return collections.Counter((None if self.mapped else f"{s.client[0]}:{s.client[1]}", s.port, s.bytes, s.digest) for s in self.whole)

    def heard(self):
        rows = self.replay.heard(len(self.whole))
        return collections.Counter((None if self.mapped else row["client"], self.replay.ports[row["port"]], row["bytes"], row["digest"][:32])
                                   for row in rows)


@pytest.fixture(name="captured", scope="module")
def fixture_captured(stage):
    """All captures, some of them at a time: most of the time goes by waiting for answers and for the end."""
    waiting, running, done = captures(), [], {}
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            which = waiting.pop(0)
            done[which] = Captured(stage, *which)
            running.append(done[which])
        assert until(lambda: any(c.ended() for c in running), 60)
        running = [c for c in running if not c.ended()]
    return done


@pytest.mark.skipif(PCAPS is None, reason="machine: no captures (TCPCOPY_PCAPS is not set)")
@pytest.mark.parametrize("name, manner", captures())
def test_what_real_clients_said_arrives_byte_for_byte(captured, name, manner):
    c = captured[name, manner]
    summary = c.replay.summary
    assert c.replay.process.code == 0, c.replay.process.errors()
    expected, heard = c.expected(), c.heard()
    assert expected - heard == {}, "lost"
    # connections that were open before are joined at a turn, if there is one
    assert (heard - expected).total() <= len(c.streams) - len(c.whole), heard - expected
    assert summary["balance"] is True
    holes = sum(s.extent - s.bytes for s in c.streams)
    assert summary["bytes"]["lost"] == ({"hole": holes} if holes else {})
    assert (summary["fidelity_percent"] == 100) == (holes == 0)
