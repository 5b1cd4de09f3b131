# SPDX-License-Identifier: BSD-2-Clause
"""test_program.py - tcpcopy as a process: signals, files, the background, replay to the end; three hosts of lab/lab.py

The servers echo lines and keep what they heard, so what the target got can be compared byte by byte.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ.get("TCPCOPY_SOURCE") or os.path.join(os.path.dirname(__file__), "..", ".."), "lab"))

from lab import Lab, ThreeHosts, Watch, cpus, until  # pylint: disable=wrong-import-position
from pair import Pair, program  # pylint: disable=wrong-import-position

SERVERS_CPU, TOOLS_CPU = cpus()

SERVER = """
import socketserver, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            heard.write(line)
            heard.flush()
            self.wfile.write(line)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 100
heard = open(sys.argv[2], "ab")
Server(("", int(sys.argv[1])), Echo).serve_forever()
"""


class Echo:
    """A server on a host; what it heard, in lines."""

    def __init__(self, host, port):
        self.heard = os.path.join(host.lab.folder, f"heard-{host.name}")
        self.process = host.start(f"echo-{host.name}", sys.executable, "-c", SERVER, str(port), self.heard, cpu=SERVERS_CPU)
        assert until(lambda: os.path.exists(self.heard), 5)

    def lines(self):
        with open(self.heard, "rb") as f:
            return sorted(f.read().splitlines())


class Stage:
    def __init__(self, lab):
        self.lab, self.net = lab, ThreeHosts(lab, 1)
        self.online, self.target = Echo(self.net.online, 80), Echo(self.net.target, 8080)
        self.pair = Pair(self.net, TOOLS_CPU)

    def connect(self):
        s = self.net.clients[0].socket()
        assert until(lambda: s.connect_ex((self.net.online.ip, 80)) == 0, 5)
        s.settimeout(5)
        return s

    def say(self, s, *lines):
        """Each line is said after the answer to the one before."""
        for line in lines:
            s.sendall(line + b"\n")
            assert s.recv(1000) == line + b"\n"

    def copied(self, seconds=5):
        until(lambda: self.target.lines() == self.online.lines(), seconds)
        return self.target.lines() == self.online.lines() != []

    def start(self, *args):
        """tcpcopy alone, with further arguments, on the online server."""
        return self.net.online.start("tcpcopy", program("tcpcopy"), "-x", f"80-{self.net.target.ip}:8080", "-s", self.net.assistant.ip,
                                     *args, cpu=TOOLS_CPU)

    def wait_connected(self, process):
        assert until(lambda: f"connected to {self.net.assistant.ip}:36524" in process.errors(), 5), process.errors()

    def path(self, name):
        return os.path.join(self.lab.folder, name)


@contextlib.contextmanager
def stage():
    with Lab(print) as lab:
        yield Stage(lab)


def first_report(text):
    """The line of a report that begins with the fidelity."""
    return [line for line in text.splitlines() if line.startswith(("fidelity ", "nothing "))]


def test_sigusr1_reports_as_things_stand_and_sigterm_ends_with_a_report():
    with stage() as s:
        s.pair.start()
        client = s.connect()
        s.say(client, b"one", b"two")
        assert s.copied()
        s.pair.tcpcopy.signal(signal.SIGUSR1)
        assert until(lambda: first_report(s.pair.tcpcopy.errors()), 5)
        assert first_report(s.pair.tcpcopy.errors()) == ["fidelity 100.00 % of client bytes so far (sessions 1/1 complete)"]
        client.close()
        summary = s.pair.stop()
        assert first_report(s.pair.tcpcopy.errors())[1:] == ["fidelity 100.00 % of client bytes (sessions 1/1 complete)"]
        assert summary["bytes"] == {"to_copy": 8, "delivered": 8, "held": 0, "skipped_before_joining": 0, "lost": {}}
        assert summary["balance"] is True


def test_sessions_that_are_open_at_a_stop_are_ended_within_the_overlap():
    with stage() as s:
        s.pair.start()
        client = s.connect()
        s.say(client, b"one")
        assert s.copied()
        began = time.monotonic()
        summary = s.pair.stop()
        assert time.monotonic() - began < 3
        assert summary["sessions"]["ended"] == {"stopped": 1}
        assert summary["fidelity_percent"] == 100
        client.close()


def test_a_second_signal_ends_at_once():
    with stage() as s:
        s.pair.start_intercept()
        tcpcopy = s.start("--overlap", "10s", "--progress")
        s.wait_connected(tcpcopy)
        client = s.connect()
        s.say(client, b"one")
        assert s.copied()
        # its client does not hear the online server: what it says now stays unanswered at the target, too
        os.kill(s.target.process.pid, signal.SIGSTOP)
        tcpcopy.signal(signal.SIGTERM)
        time.sleep(0.3)
        tcpcopy.signal(signal.SIGTERM)
        began = time.monotonic()
        assert tcpcopy.wait(5) == 0
        assert time.monotonic() - began < 1
        client.close()


def test_the_background_begins_when_all_has_started():
    with stage() as s:
        s.pair.start_intercept()
        pid_file, log = s.path("pid"), s.path("log")
        first = s.start("-d", "-P", pid_file, "-l", log)
        assert first.wait(5) == 0, first.errors()
        with open(pid_file, encoding="ascii") as f:
            pid = int(f.read())
        try:
            assert os.readlink(f"/proc/{pid}/cwd") == "/"

            second = s.start("-d", "-P", pid_file)
            assert second.wait(5) == 1
            assert f"is held by process {pid}, which still runs" in second.errors()

            client = s.connect()
            s.say(client, b"one")
            client.close()
            assert s.copied()

            os.rename(log, log + ".1")
            os.kill(pid, signal.SIGHUP)
            assert until(lambda: os.path.exists(log), 5)
        finally:
            os.kill(pid, signal.SIGTERM)
        assert until(lambda: not os.path.exists(pid_file), 5)
        with open(log, encoding="ascii") as f:
            assert first_report(f.read()) == ["fidelity 100.00 % of client bytes (sessions 1/1 complete)"]


def test_what_prevents_the_start_is_told_in_the_foreground():
    with stage() as s:
        for more, message in (("-i", "nodev9"), "'nodev9'"), (("-P", "/nowhere/pid"), "'/nowhere/pid'"), (("-l", "/nowhere/log"), "'/nowhere/log'"), \
                (("--key", "/nowhere/key"), "/nowhere/key"), (("-F", "no such filter"), "no such filter"):
            process = s.start("-d", *more)
            assert process.wait(5) == 1, more
            assert message in process.errors()


def test_without_intercept_it_warns_and_begins_when_intercept_is_there():
    with stage() as s:
        tcpcopy = s.start("--json")
        assert until(lambda: "1 of 1 intercepts not connected yet; trying until they are" in tcpcopy.errors(), 5)
        assert "connection refused" in tcpcopy.errors()
        s.pair.start_intercept()
        s.wait_connected(tcpcopy)
        client = s.connect()
        s.say(client, b"one", b"two")
        client.close()
        assert s.copied()
        assert tcpcopy.stop() == 0


def record(s):
    """Two connections, one of them left open, as a file of what was on the online server's wire."""
    watch = Watch(s.net.online, "eth0", s.net.online.ip)
    closed, left_open = s.connect(), s.connect()
    s.say(closed, b"one", b"two")
    s.say(left_open, b"three")
    closed.close()
    s.say(left_open, b"four")
    time.sleep(0.1)
    watch.frames()
    watch.close()
    left_open.close()
    return s.path("watch-online.pcap")


def test_a_file_is_replayed_to_its_end():
    with stage() as s:
        path = record(s)
        waits = s.start("-i", path, "--json")
        time.sleep(1.5)
        assert waits.alive()
        assert s.target.lines() == [], "a file waits for intercept"
        s.pair.start_intercept()
        assert waits.wait(15) == 0
        summary = json.loads(waits.output())
        assert s.target.lines() == [b"four", b"one", b"three", b"two"]
        assert summary["fidelity_percent"] == 100
        assert summary["sessions"]["ended"] == {"closed": 1, "capture-end": 1}
        assert summary["balance"] is True


def test_a_file_on_stdin_is_replayed_faster_and_again():
    with stage() as s:
        path = record(s)
        s.pair.start_intercept()
        command = ["ip", "netns", "exec", s.net.online.ns, program("tcpcopy"), "-x", f"80-{s.net.target.ip}:8080", "-s", s.net.assistant.ip,
                   "-i", "-", "-a", "10", "--json"]
        with open(path, "rb") as f:
            done = subprocess.run(command, stdin=f, capture_output=True, timeout=15, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["fidelity_percent"] == 100

        twice = s.start("-i", path, "-T", "2", "--json")
        assert twice.wait(20) == 0
        assert json.loads(twice.output())["sessions"]["opened"] == 4
        assert s.target.lines() == sorted([b"one", b"two", b"three", b"four"] * 3)


def test_copies_and_clients_of_their_own_each_hear_their_answers():
    with stage() as s:
        s.pair.start_intercept()
        tcpcopy = s.start("-n", "3", "-c", "10.1.0.192/28", "--json")
        s.wait_connected(tcpcopy)
        clients = [s.connect() for _ in range(4)]
        for i, client in enumerate(clients):
            s.say(client, b"one %d" % i, b"two %d" % i)
        for client in clients:
            client.close()
        assert until(lambda: len(s.target.lines()) == 24, 5)
        assert tcpcopy.stop() == 0
        assert s.target.lines() == sorted(s.online.lines() * 3)
        summary = json.loads(tcpcopy.output())
        assert summary["sessions"]["ended"] == {"closed": 12}
        assert summary["fidelity_percent"] == 100
        assert summary["balance"] is True


VARIANTS = [
    ["--capture", "raw"],
    ["--deliver", "raw", "--allow-conntrack"],
    ["-i", "eth0", "-F", "tcp and dst port 80", "-o", "eth0"],
    ["--pace", "think"],
    ["-W"],
    ["--pace", "asap"],
    ["-M", "600", "-D", "200", "-R", "5", "-O", "-S", "200", "-B", "8", "-m", "64", "--latency", "4"],
]


def test_each_way_to_capture_to_send_and_to_pace_copies_all():
    with stage() as s:
        s.pair.start_intercept()
        said = 0
        for variant in VARIANTS:
            tcpcopy = s.start("--json", *variant)
            s.wait_connected(tcpcopy)
            client = s.connect()
            s.say(client, *(b"%d " % i + b"x" * 100 for i in range(3)))
            client.close()
            said += 3
            assert until(lambda n=said: len(s.target.lines()) == n, 5), variant
            assert tcpcopy.stop() == 0
            summary = json.loads(tcpcopy.output())
            assert (summary["fidelity_percent"], summary["balance"]) == (100, True), variant
            assert summary["sessions"]["ended"] == {"closed": 1}, variant
        assert s.target.lines() == s.online.lines()


def test_a_key_must_be_the_same_at_both_ends():
    with stage() as s:
        key, other = s.path("key"), s.path("other")
        for path in (key, other):
            subprocess.run([program("tcpcopy"), "genkey", path], stderr=subprocess.DEVNULL, check=True)
        s.pair.intercept_args += ["--key", key]
        s.pair.start_intercept()
        for args, why in ((["--key", other], "key"), ([], "key")):
            refused = s.start(*args)
            assert until(lambda p=refused: "refused" in p.errors(), 5), refused.errors()
            assert why in refused.errors()
            assert refused.stop() == 0
        tcpcopy = s.start("--key", key)
        s.wait_connected(tcpcopy)
        client = s.connect()
        s.say(client, b"one")
        client.close()
        assert s.copied()
        assert tcpcopy.stop() == 0


def test_it_steps_back_for_production():
    with stage() as s:
        s.pair.start()
        pid = s.pair.tcpcopy.pid
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            assert f.read().rsplit(")", 1)[1].split()[16] == "10"
        with open(f"/proc/{pid}/oom_score_adj", encoding="ascii") as f:
            assert f.read() == "1000\n"
        time.sleep(0.5)
        before = s.pair.tcpcopy.cpu_ns()
        time.sleep(2)
        assert s.pair.tcpcopy.cpu_ns() - before < 20e6, "an idle process takes more than 1 % of a CPU"
        s.pair.stop()
