# SPDX-License-Identifier: BSD-2-Clause
"""intercept against made-up answers and made-up peers

    target ------------- router ------------- assistant
    10.2.0.3  (frames made here)              10.2.0.4  (intercept, intercept_peer: a tcpcopy that only listens)

The hosts are those of lab/lab.py, class ThreeHosts. intercept_peer is test_intercept.c.
"""

import collections
import contextlib
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest
from scapy.all import IP, TCP, Dot1Q, Ether, IPv6, Raw

sys.path.insert(0, os.path.join(os.environ["TCPCOPY_SOURCE"], "lab"))

from lab import Lab, ThreeHosts, cpus, until  # pylint: disable=wrong-import-position

BUILD = os.environ["TCPCOPY_BUILD"]
INTERCEPT = os.path.join(BUILD, "intercept")
PEER = os.path.join(BUILD, "tests/netns/intercept_peer")
PORT = 36524
SYN, RST, ACK, FIN = 2, 4, 16, 1
CPU = cpus()[1]
CLIENT, TARGET = "10.1.0.11", "10.2.0.3"
CLIENT6, TARGET6 = "fd01::11", "fd02::3"

Answer = collections.namedtuple("Answer", "client cport target tport flags seq ack win length merged")


class Stage:
    """An intercept and what talks to it."""

    def __init__(self, lab):
        self.lab = lab
        self.net = ThreeHosts(lab, 0)
        self.mac = json.loads(self.net.assistant.run("ip", "-j", "link", "show", "eth0"))[0]["address"]
        self.wire = self.net.target.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.wire.bind(("eth0", 0))
        self.intercept = None

    def start(self, *args):
        self.intercept = self.net.assistant.start("intercept", INTERCEPT, *args, cpu=CPU)
        assert until(lambda: "listening" in self.intercept.errors() or not self.intercept.alive(), 5)
        return self.intercept

    def peer(self, instance, *args, target=TARGET, up=True):
        p = self.net.assistant.start(f"peer{instance}", PEER, "listen", "127.0.0.1", str(PORT), str(instance), target, "8080", *args,
                                     cpu=CPU)
        if up:
            assert until(lambda: "up\n" in p.output(), 5), p.output()
        return p

    def frame(self, cport, flags, seq, ack, length=0, client=CLIENT, target=TARGET, vlan=None):
        ip = IPv6 if ":" in client else IP
        head = Ether(dst=self.mac, src="02:00:00:00:00:03")
        if vlan is not None:
            head = head / Dot1Q(vlan=vlan)
        packet = head / ip(src=target, dst=client) / TCP(sport=8080, dport=cport, flags=flags, seq=seq, ack=ack, window=500)
        return bytes(packet / Raw(b"x" * length) if length else packet)

    def send(self, *args, **kwargs):
        self.wire.send(self.frame(*args, **kwargs))

    def accept(self, instance, cport, **kwargs):
        """The SYN-ACK to this instance's SYN; returns what the target acknowledges."""
        ack = isn(instance, cport, kwargs.get("client", CLIENT), kwargs.get("target", TARGET)) + 1 & 0xFFFFFFFF
        self.send(cport, SYN | ACK, 900, ack, **kwargs)
        return ack

    def stop(self):
        assert self.intercept.stop() == 0, self.intercept.errors()
        return json.loads(self.intercept.output().splitlines()[-1])


def isn(instance, cport, client, target):
    return int(subprocess.run([PEER, "isn", str(instance), client, str(cport), target, "8080"], stdout=subprocess.PIPE, check=True).stdout)


def answers(peer):
    # whole lines: the last one may still be on its way
    rows = [line.split()[1:] for line in peer.output().splitlines(keepends=True) if line.startswith("answer ") and line.endswith("\n")]
    return [Answer(r[0], int(r[1]), r[2], *map(int, r[3:])) for r in rows]


def heard(peer, count, seconds=5):
    """The answers that a peer was told, once there are so many of them."""
    until(lambda: len(answers(peer)) >= count, seconds)
    got = answers(peer)
    assert len(got) == count, peer.output()
    return got


def rss_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


@contextlib.contextmanager
def stage():
    with Lab(print) as lab:
        s = Stage(lab)
        yield s
        s.wire.close()


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    path.write_text("42" * 32 + "\n")
    path.chmod(0o600)
    return str(path)


def test_without_a_filter_the_answers_of_announced_targets_are_told():
    with stage() as s:
        s.start("-i", "eth0", "--json")
        s.send(5000, ACK, 1, 2)  # nobody copies to it yet
        p = s.peer(1)
        ack = s.accept(1, 5000)
        s.send(5000, ACK, 901, ack + 10, 1400)
        s.send(5000, FIN | ACK, 2301, ack + 10)
        got = heard(p, 3)
        assert got[0] == (CLIENT, 5000, TARGET, 8080, SYN | ACK, 900, ack, 500, 0, 0)
        assert got[1] == (CLIENT, 5000, TARGET, 8080, ACK, 901, ack + 10, 500, 1400, 0)
        assert got[2].flags == FIN | ACK
        summary = s.stop()
        assert summary["relay"]["reported"] == 3
        assert summary["capture"]["kernel_drops"] == 0
        keys = {*summary, *summary["capture"], *summary["relay"], *summary["channel"]}
        with open(os.path.join(os.environ["TCPCOPY_SOURCE"], "doc/man/intercept.8"), encoding="ascii") as f:
            assert keys <= set(f.read().split()), "the man page names each of them"
        assert until(lambda: "down" in p.output().splitlines(), 5)


def test_a_filter_of_the_users_own_and_any_device_work_too():
    with stage() as s:
        s.start("-F", "tcp and src port 8080")
        p = s.peer(1)
        s.accept(1, 5000)
        heard(p, 1)


def test_each_tcpcopy_is_told_its_own_and_a_second_target_is_captured_too():
    with stage() as s:
        s.start("-i", "eth0")
        one, two = s.peer(1), s.peer(2, target="10.2.0.33")
        s.accept(1, 5000)
        s.accept(2, 5000, target="10.2.0.33")
        assert heard(one, 1)[0].target == TARGET
        assert heard(two, 1)[0].target == "10.2.0.33"


def test_many_targets_get_a_filter_that_is_made_quickly_and_only_once_a_second():
    with stage() as s:
        s.start("-i", "eth0")
        began = time.monotonic()
        peers = [s.peer(i, target=f"10.2.0.{40 + i}", up=False) for i in range(1, 13)]
        for p in peers:
            assert until(lambda p=p: "up" in p.output().splitlines(), 5)
        assert time.monotonic() - began < 6
        for i, p in enumerate(peers, 1):
            s.accept(i, 5000, target=f"10.2.0.{40 + i}")
            heard(p, 1)
        assert s.intercept.errors().count("capturing filter=") < 6


def test_what_nobody_copies_to_any_more_is_not_captured_any_more():
    with stage() as s:
        s.start("-i", "eth0", "-t", "2")
        s.peer(1).kill()
        assert until(lambda: 'capturing filter="less 1"' in s.intercept.errors(), 8), s.intercept.errors()
        p = s.peer(2)
        s.accept(2, 5000)
        heard(p, 1)


def test_ipv6_and_vlan_tags_and_padded_frames_are_understood():
    with stage() as s:
        s.start("-i", "eth0")
        p = s.peer(1, target=TARGET6)
        q = s.peer(2)
        s.accept(1, 5000, client=CLIENT6, target=TARGET6)
        assert heard(p, 1)[0][:4] == (CLIENT6, 5000, TARGET6, 8080)
        s.accept(2, 5001, vlan=7)
        heard(q, 1)
        padded = s.frame(5001, ACK, 901, 5)
        s.wire.send(padded + bytes(60 - len(padded)))
        assert heard(q, 2)[1].length == 0


def test_with_the_same_key_a_tcpcopy_is_welcome_and_without_or_another_it_is_refused_in_words(key, tmp_path):
    other = tmp_path / "other"
    other.write_text("17" * 32)
    other.chmod(0o600)
    with stage() as s:
        s.start("-i", "eth0", "--key", key)
        good = s.peer(1, "--key", key)
        assert "with key" in good.output()
        without = s.peer(2, up=False)
        assert until(lambda: "intercept has a key, this tcpcopy none" in without.output(), 5)
        wrong = s.peer(3, "--key", str(other), up=False)
        assert until(lambda: "another key, or none" in wrong.output(), 5)
        s.accept(1, 5000)
        heard(good, 1)
        assert "up" not in without.output().splitlines() + wrong.output().splitlines()
        assert until(lambda: 'why="refused: the keys differ' in s.intercept.errors(), 5)


def test_a_flow_is_adopted_by_announcement_only_with_a_key(key):
    for args in ((), ("--key", key)):
        with stage() as s:
            s.start("-i", "eth0", "--offers", "0", "--json", *args)
            p = s.peer(1, "--announce", CLIENT, "5000", *args)
            if args:
                assert until(lambda: f"announced {CLIENT} 5000" in p.output(), 5)  # pylint: disable=cell-var-from-loop
                s.send(5000, ACK, 901, 77, 5)
                heard(p, 1)
            else:
                time.sleep(0.3)
                s.send(5000, ACK, 901, 77, 5)
                time.sleep(0.3)
                assert answers(p) == []
                assert s.stop()["channel"]["announcements_ignored"] == 1


def test_after_a_restart_of_intercept_live_flows_are_offered_to_their_tcpcopy():
    with stage() as s:
        s.start("-i", "eth0")
        p = s.peer(1)
        ack = s.accept(1, 5000)
        heard(p, 1)
        s.intercept.kill()
        assert until(lambda: "down" in p.output().splitlines(), 5)
        s.start("-i", "eth0")
        assert until(lambda: p.output().splitlines().count("up") == 2, 5)
        s.send(5000, ACK, 901, ack, 10)
        assert heard(p, 2)[1].length == 10


def test_a_tcpcopy_that_is_killed_and_one_that_comes_instead_do_not_disturb_another():
    with stage() as s:
        s.start("-i", "eth0", "--offers", "0")
        stays, dies = s.peer(1), s.peer(2)
        s.accept(1, 5000)
        s.accept(2, 6000)
        heard(stays, 1)
        heard(dies, 1)
        dies.kill()
        s.send(6000, ACK, 901, 5, 1)
        s.send(5000, ACK, 901, 5, 1)
        heard(stays, 2)
        again = s.peer(2)
        s.send(6000, ACK, 902, 5, 1)
        assert until(lambda: len(answers(again)) >= 1, 5)  # the same instance: what waited, and what comes
        assert until(lambda: "a tcpcopy has gone" in s.intercept.errors(), 5)


def test_a_burst_is_told_whole_merged_or_not():
    with stage() as s:
        s.start("-i", "eth0", "--json")
        p = s.peer(1)
        ack = s.accept(1, 5000)
        frames = 20000
        base = bytearray(s.frame(5000, ACK, 0, ack, 1000))
        for i in range(frames):
            base[38:42] = struct.pack("!I", 901 + 1000 * i)  # the sequence number
            self_sent = s.wire.send(base)
            assert self_sent == len(base)
        told = frames + 1
        assert until(lambda: sum(1 + a.merged for a in answers(p)) >= told, 10, pause=0.2)
        got = answers(p)
        assert sum(1 + a.merged for a in got) == told
        assert got[-1].seq + got[-1].length == 901 + 1000 * frames
        summary = s.stop()
        assert summary["capture"]["kernel_drops"] == 0
        assert summary["relay"]["reported"] + summary["relay"]["merged"] == told
        assert summary["capture"]["wakeups"] < frames / 10, "woken for packets, not for blocks"


def test_strangers_have_no_effect_on_others():
    with stage() as s:
        s.start("-i", "eth0", "--json")
        p = s.peer(1)
        strangers = [s.net.assistant.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(300)]
        for i, stranger in enumerate(strangers):
            stranger.settimeout(5)
            stranger.connect(("127.0.0.1", PORT))
            with contextlib.suppress(OSError):  # it may be turned away already
                stranger.send((b"abc", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/1.0\r\n\r\n" * 500, b"")[i % 4])
        began = time.monotonic()
        s.accept(1, 5000)
        heard(p, 1)
        q = s.peer(2)
        s.accept(2, 6000)
        heard(q, 1)
        assert time.monotonic() - began < 3
        for stranger in strangers:  # each is closed, by limit or at once
            with contextlib.suppress(ConnectionError):
                while stranger.recv(4096):
                    pass
            stranger.close()
        assert p.output().splitlines().count("up") == 1
        channel = s.stop()["channel"]
        assert channel["welcomed"] == 2
        assert channel["turned_away"] + channel["strangers_ended"] >= 300  # a tcpcopy may have had to try again


def test_a_thousand_connections_that_say_nothing_keep_nobody_out():
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with stage() as s, contextlib.ExitStack() as idle:
        s.start("-i", "eth0", "--json")
        p = s.peer(1)
        memory = rss_kb(s.intercept.pid)
        strangers = [idle.enter_context(s.net.assistant.socket(socket.AF_INET, socket.SOCK_STREAM)) for _ in range(1000)]
        for i, stranger in enumerate(strangers):  # from several addresses, as the places of one are few
            stranger.setblocking(False)
            stranger.bind((f"127.0.1.{i % 50 + 1}", 0))
            stranger.connect_ex(("127.0.0.1", PORT))
        began = time.monotonic()
        s.accept(1, 5000)
        heard(p, 1)
        assert time.monotonic() - began < 1
        q = s.peer(2)
        assert time.monotonic() - began < 5
        s.accept(2, 6000)
        heard(q, 1)
        peers = 2
        established = ("ss", "-tnH", "state", "established", "sport", "=", f":{PORT}")
        assert until(lambda: len(s.net.assistant.run(*established).splitlines()) == peers, 20, pause=0.5)
        assert rss_kb(s.intercept.pid) < memory + 8192
        channel = s.stop()["channel"]
        assert p.output().splitlines().count("up") == 1
        assert (channel["welcomed"], channel["malformed"], channel["refused"]) == (peers, 0, 0)
        assert channel["turned_away"] > 0
        assert channel["turned_away"] + channel["strangers_ended"] == channel["accepted"] - peers


def test_claims_of_anothers_connections_have_no_effect_and_are_counted(key):
    for args, foreign in (((), 1), (("--key", key), 2)):
        with stage() as s:
            s.start("-i", "eth0", "--json", *args)
            owner = s.peer(1, *args)
            ack = s.accept(1, 5000)
            heard(owner, 1)
            claims = s.peer(2, "--announce", CLIENT, "5000", "--disown", CLIENT, "5000", *args)
            time.sleep(0.3)
            s.send(5000, ACK, 901, ack, 7)
            assert heard(owner, 2)[1].length == 7
            assert answers(claims) == []
            assert "announced" not in claims.output()
            summary = s.stop()
            assert summary["relay"]["foreign"] == foreign  # without a key the announcement does not even get there
            assert summary["channel"]["announcements_ignored"] == 2 - foreign


def test_a_tcpcopy_that_does_not_read_stops_itself_only_and_catches_up():
    with stage() as s:
        s.start("-i", "eth0", "--json", "--queue", "2000")
        slow, quick = s.peer(1), s.peer(2)
        ack = s.accept(1, 5000)
        s.accept(2, 6000)
        heard(slow, 1)
        heard(quick, 1)
        slow.signal(signal.SIGSTOP)
        base = bytearray(s.frame(5000, ACK, 0, ack, 1000))
        for i in range(40000):
            base[38:42] = struct.pack("!I", 901 + 1000 * i)
            s.wire.send(base)
        s.send(6000, ACK, 901, 5, 1)
        heard(quick, 2)
        slow.signal(signal.SIGCONT)
        assert until(lambda: sum(1 + a.merged for a in answers(slow)) >= 40001, 10, pause=0.2)
        last = answers(slow)[-1]
        assert last.seq + last.length == 901 + 1000 * 40000
        relay = s.stop()["relay"]
        assert relay["queue_full"] == 0
        assert relay["merged"] > 0


def test_with_c_the_first_tcpcopy_is_kept_and_others_are_refused():
    with stage() as s:
        s.start("-i", "eth0", "-c")
        first = s.peer(1)
        second = s.peer(2, up=False)
        assert until(lambda: "serves other tcpcopies" in second.output(), 5)
        first.kill()
        assert until(lambda: "up" in second.output().splitlines(), 5)


def test_passed_addresses_are_told_to_nobody_and_containers_count_as_their_target():
    with stage() as s:
        s.start("-i", "eth0", "--json", "-x", "10.1.0.12", "-D", f"172.17.0.2-{TARGET}")
        p = s.peer(1)
        s.accept(1, 5000, client="10.1.0.12")
        ack = isn(1, 5001, CLIENT, TARGET) + 1
        s.send(5001, SYN | ACK, 900, ack, target="172.17.0.2")
        got = heard(p, 1)
        assert (got[0].cport, got[0].target) == (5001, TARGET)
        assert s.stop()["relay"]["passed"] == 1


def test_an_idle_intercept_sleeps():
    with stage() as s:
        s.start("-i", "eth0")
        s.peer(1)

        def wakeups():
            with open(f"/proc/{s.intercept.pid}/status", encoding="ascii") as f:
                return sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)
        time.sleep(0.5)
        before = wakeups()
        time.sleep(3)
        assert wakeups() - before < 40


def test_it_detaches_when_all_has_started_and_not_before(tmp_path):
    pid_file, log = str(tmp_path / "pid"), str(tmp_path / "log")
    with stage() as s:
        def run(*args):
            command = ["ip", "netns", "exec", s.net.assistant.ns, INTERCEPT, "-d", *args]
            return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                  timeout=10, check=False)
        failed = run("-i", "eth9")
        assert failed.returncode == 1
        assert failed.stderr == "intercept: cannot capture on 'eth9': no such device\n"
        assert run("-i", "eth0", "-l", log, "-P", pid_file).returncode == 0
        with open(pid_file, encoding="ascii") as f:
            pid = int(f.read())
        try:
            p = s.peer(1)  # it listens and captures by now
            s.accept(1, 5000)
            heard(p, 1)
            second = run("-i", "eth0", "-P", pid_file)
            assert second.returncode == 1 and "still runs" in second.stderr
            os.kill(pid, signal.SIGUSR1)
            assert until(lambda: "captured: " in open(log, encoding="ascii").read(), 5)
        finally:
            os.kill(pid, signal.SIGTERM)
        assert until(lambda: not os.path.exists(pid_file), 5)
        assert "info: listening" in open(log, encoding="ascii").read()


def test_a_reader_of_its_messages_that_hangs_stops_nothing():
    with stage() as s:
        command = ["ip", "netns", "exec", s.net.assistant.ns, INTERCEPT, "-i", "eth0"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as intercept:
            try:
                assert b"listening" in intercept.stderr.readline()
                p = s.peer(1)
                for _ in range(300):  # reports of half a kilobyte into a pipe of 64
                    intercept.send_signal(signal.SIGUSR1)
                    time.sleep(0.005)
                s.accept(1, 5000)
                heard(p, 1)
            finally:
                intercept.kill()
            said = intercept.stderr.read()
            assert said.count(b"intercept: ") > 50 and len(said) < 66000


def test_what_keeps_it_from_starting_is_said_with_the_remedy():
    with stage() as s:
        def run(*args, before=()):
            command = ["ip", "netns", "exec", s.net.assistant.ns, *before, INTERCEPT, *args]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=10,
                                  check=False)
            return done.returncode, done.stdout + done.stderr
        code, said = run("-i", "eth0", before=("setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"))
        assert code == 4 and "setcap cap_net_raw+ep" in said
        code, said = run("-F", "tcp and nonsense")
        assert code == 2 and "tcp and nonsense" in said
        code, said = run("-b", "10.9.9.9")
        assert code == 1 and "no such address" in said
        code, said = run("-D", "10.0.0.1")
        assert code == 2 and said.startswith("intercept: -D: ")
        s.start()
        code, said = run()
        assert code == 1 and "another program does" in said and "-p" in said
        code, said = run("-h")
        assert code == 0 and "--container" in said
        code, said = run("-v")
        assert code == 0 and said.startswith("intercept ")


def test_a_host_that_forwards_is_warned_of():
    with stage() as s:
        s.start("-i", "eth0")
        assert "forwards" not in s.intercept.errors()
        s.intercept.stop()
        s.net.assistant.sysctl("net.ipv4.ip_forward=1")
        s.start("-i", "eth0")
        assert until(lambda: "sysctl -w net.ipv4.ip_forward=0" in s.intercept.errors(), 5)


def test_a_device_that_goes_down_and_comes_back_is_waited_for():
    with stage() as s:
        s.start("-i", "eth0")
        p = s.peer(1)
        s.net.assistant.link("set", "eth0", "down")
        time.sleep(1.5)
        assert s.intercept.alive()
        s.net.assistant.link("set", "eth0", "up")

        def told():
            s.accept(1, 5000)
            return answers(p)
        assert until(told, 5, pause=0.3)
