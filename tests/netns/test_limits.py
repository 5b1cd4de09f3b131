# SPDX-License-Identifier: BSD-2-Clause
"""test_limits.py - what is short, slow, full or broken ends no process: whole sessions are left out, and counted; the stage is lab/stage.py's

The servers keep what they heard, so what the target got can be compared byte by byte.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ.get("TCPCOPY_SOURCE") or os.path.join(os.path.dirname(__file__), "..", ".."), "lab"))

from lab import Lab, Watch, until  # pylint: disable=wrong-import-position
from load import Session  # pylint: disable=wrong-import-position
from pair import program  # pylint: disable=wrong-import-position
from stage import TOOLS_CPU, Stage, private_dirty_bytes  # pylint: disable=wrong-import-position

MB = 1 << 20


@contextlib.contextmanager
def copying(*args, ports=None, intercept=()):
    """A stage with servers of turns and a running pair."""
    with Lab(print) as lab:
        s = Stage(lab, six=False, scale=1, strict=False)
        ports = ports or {80: ({}, {})}
        s.serve(ports)
        s.copy(ports, *args, intercept=intercept)
        yield s


def whole(s, clients):
    """Are the connections of these clients at the target as they are online?"""
    here, there = ({r["client"]: (r["bytes"], r["digest"]) for r in server.connections() if r["client"] in clients}
                   for server in (s.online, s.target))
    return here.keys() == clients and here == there


def short_sessions(s, count):
    """So many connections, one after another; return their clients."""
    clients = set()
    for _ in range(count):
        session = Session(s.client, s.address, 80)
        clients.add("{}:{}".format(*session.sock.getsockname()))
        session.turn(300, 300)
        session.close()
    return clients


def is_prefix_of_turns(s):
    """Each turn that is at the target is the one that its client said; return how many are not there."""
    here, there = s.online.turns(), {(port - 8000, client, turn): row for (port, client, turn), row in s.target.turns().items()}
    assert all(here[key]["crc"] == row["crc"] for key, row in there.items())
    return len(here) - len(there)


def test_a_target_that_stops_while_500_megabytes_are_uploaded_costs_no_more_than_16_of_memory():
    with copying("-m", "16") as s:
        s.load(connections=1, turns=2).finish()
        s.settle()
        os.kill(s.target.process.pid, signal.SIGSTOP)
        most = 0
        for _ in range(10):
            s.load(connections=50, turns=1, body=MB).finish()
            most = max(most, private_dirty_bytes(s.pair.tcpcopy))
        os.kill(s.target.process.pid, signal.SIGCONT)
        # what the target has buffered it reads now
        until(lambda: len(s.target.connections()) >= len(s.online.connections()), 3, pause=0.2)
        clients = short_sessions(s, 20)
        until(lambda: whole(s, clients), 5, pause=0.2)
        assert whole(s, clients)
        assert is_prefix_of_turns(s) > 300, "the target has nearly all of it: this proves nothing"

        summary = s.end_copy()
        s.end_servers()
        assert most < 12 * MB, f"{most >> 10} kB, and the ring has 4 MB"
        said = sum(row["bytes"] for row in s.online.connections())
        count = summary["bytes"]
        assert count["to_copy"] == said, f"{said} bytes were said, {count}"
        assert count["to_copy"] == count["delivered"] + sum(count["lost"].values()), count
        assert count["lost"]["memory"] > 300 * MB and count["lost"].keys() <= {"memory", "hole", "lag", "no-ack"}, count


def test_a_full_table_leaves_whole_sessions_out_and_counts_their_bytes():
    with copying("--sessions", "20") as s:
        s.load(connections=100, turns=5, period=0.1).finish()
        clients = short_sessions(s, 3)
        assert until(lambda: whole(s, clients), 5)
        s.settle(1)
        summary = s.end_copy()
        s.end_servers()
        here, there = s.online.whole(), s.target.whole(8000)
        assert not there - here, "one was copied in part"
        missing = sum(size * n for (_, _, size, _), n in (here - there).items())
        count, ended = summary["bytes"], summary["sessions"]["ended"]
        assert ended == {"closed": there.total(), "no-room": 103 - there.total()} and 23 <= there.total() < 90, summary
        assert count["to_copy"] == sum(size * n for (_, _, size, _), n in here.items()) and count["lost"] == {"no-room": missing}, summary


def test_a_silent_client_is_let_go_after_t_and_its_connection_goes_on_without_a_copy():
    with copying("-t", "1") as s:
        session = Session(s.client, s.address, 80)
        session.turn(100, 100)
        ended = lambda: any(row["end"] == "rst" for row in s.target.connections())
        time.sleep(0.5)
        assert not ended(), "it was silent for less than a second"
        assert until(ended, 3), "the target still has it"
        session.turn(1000, 100)
        session.close()
        clients = short_sessions(s, 3)
        assert until(lambda: whole(s, clients), 5)
        summary = s.end_copy()
        assert summary["sessions"]["ended"] == {"closed": 3, "idle": 1}
        assert summary["bytes"]["lost"] == {"idle": 1000 + len("1000 100\n")}


def test_a_target_that_owes_an_acknowledgement_for_k_is_let_go():
    with copying("-k", "2") as s:
        session = Session(s.client, s.address, 80)
        session.turn(100, 100)
        s.settle()
        s.net.router.link("set", "port-target", "down")
        began = time.monotonic()
        session.turn(1000, 100)
        session.close()
        s.pair.tcpcopy.signal(signal.SIGUSR1)
        report = lambda: s.pair.tcpcopy.errors()
        assert until(lambda: "1 opened, 1 live" in report(), 2), report()

        def ended():
            s.pair.tcpcopy.signal(signal.SIGUSR1)
            return "1 the target stopped acknowledging" in report()
        assert until(ended, 8, pause=0.2), report()
        assert 1.5 < time.monotonic() - began
        s.net.router.link("set", "port-target", "up")
        clients = short_sessions(s, 3)
        assert until(lambda: whole(s, clients), 8)
        summary = s.end_copy()
        assert summary["sessions"]["ended"] == {"closed": 3, "no-ack": 1}
        assert summary["bytes"]["lost"] == {"no-ack": 1000 + len("1000 100\n")}


@contextlib.contextmanager
def small_disk(folder):
    os.mkdir(folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path):
    with open(path, "wb", buffering=0) as f, contextlib.suppress(OSError):
        while True:
            f.write(b"x" * 512)


def test_a_full_disk_stops_the_log_and_nothing_else():
    with copying("--verbose", intercept=["--verbose"]) as s, small_disk(os.path.join(s.lab.folder, "disk")):
        logs = [os.path.join(s.lab.folder, "disk", name) for name in ("tcpcopy.log", "intercept.log")]
        s.pair.stop()
        s.pair.intercept_args += ["-l", logs[1]]
        s.pair.start_intercept()
        s.pair.tcpcopy = s.net.online.start("tcpcopy", program("tcpcopy"), "--json", *s.pair.tcpcopy_args, "-l", logs[0], cpu=TOOLS_CPU)

        def log():
            with open(logs[0], encoding="ascii") as f:
                return f.read()

        def logged(clients):
            return sum(f"client_port={client.split(':')[1]} " in log() for client in clients)
        assert until(lambda: os.path.exists(logs[0]) and "connected to" in s.pair.tcpcopy.errors() + log(), 10), s.pair.tcpcopy.errors()

        filler = os.path.join(s.lab.folder, "disk", "filler")
        fill(filler)
        clients = short_sessions(s, 100)
        assert until(lambda: whole(s, clients), 5)
        assert logged(clients) < 50, "there was room for its lines: this proves nothing"
        os.unlink(filler)
        clients = short_sessions(s, 5)
        assert until(lambda: logged(clients) == 5, 5), "it does not go on where there is room again"
        assert " lines_lost=" in log()
        s.end()


def frames_to_mutate(s, host, address):
    """What short sessions look like on a host's device."""
    watch = Watch(host, "eth0", address)
    clients = short_sessions(s, 5)
    assert until(lambda: whole(s, clients), 5)
    frames = watch.frames()
    watch.close()
    assert len(frames) > 10
    return frames


def mutated(frames, seed, count):
    """Some with other bytes, some cut, some longer, some of nothing but noise; the client's address is one that nobody has."""
    rnd = random.Random(seed)
    for _ in range(count):
        frame = bytearray(rnd.choice(frames))
        frame[26:30] = socket.inet_aton(f"10.1.0.{rnd.randint(100, 199)}")
        for _ in range(rnd.choice((1, 1, 2, 8))):
            # behind the Ethernet addresses, and mostly in the headers
            frame[rnd.randrange(12, min(len(frame), rnd.choice((60, 1500))))] = rnd.getrandbits(8)
        kind = rnd.randrange(10)
        if kind == 0:
            frame = frame[:rnd.randrange(14, len(frame) + 1)]
        elif kind == 1:
            frame += rnd.randbytes(rnd.randrange(1, 100))
        elif kind == 2:
            frame[14:] = rnd.randbytes(rnd.randrange(0, 1486))
        yield bytes(frame)


def test_frames_of_any_bytes_on_either_wire_disturb_nobody():
    with copying() as s:
        there = frames_to_mutate(s, s.online_host, s.address), frames_to_mutate(s, s.net.assistant, s.target_address)
        load = s.load(connections=5, turns=40, period=0.05)
        count = 0
        with s.net.router.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
            for port, frames in zip(("port-online", "port-assistant"), there):
                wire.bind((port, 0))
                for frame in mutated(frames, seed=len(port), count=4000):
                    with contextlib.suppress(OSError):  # longer than the device takes
                        count += wire.send(frame) > 0
        load.finish()
        clients = short_sessions(s, 5)
        assert until(lambda: whole(s, clients), 5)
        s.settle()
        summary = s.end_copy()
        assert count > 7000
        unusable = summary["capture"]["drops"]
        assert sum(unusable.values()) > 100, unusable
