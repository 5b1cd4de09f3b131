# SPDX-License-Identifier: BSD-2-Clause
"""restarts.py - scenario 9: programs that are killed and come back, while clients are busy"""

import collections
import subprocess
import time

from lab import until
from load import Session
from pair import program
from stage import Turns, scenario


def short_sessions(s, count):
    """So many connections, one after another, of two turns each; return their addresses and ports as the servers write them."""
    names = []
    for _ in range(count):
        session = Session(s.client, s.address, 80)
        address, port = session.sock.getsockname()[:2]
        names.append(f"{address}:{port}")
        session.turn(300, 300)
        session.turn(300, 300)
        session.close()
    return names


def said_by(rows, names):
    """{client: the checksums of its turns, in order}"""
    said = collections.defaultdict(list)
    for (_, client, _), row in sorted(rows.items()):
        if client in names:
            said[client].append(row["crc"])
    return said


def intercept_restarts(s, tcpcopy=(), intercept=()):
    """What is open, what begins meanwhile and what begins afterwards is copied whole."""
    s.serve({80: ({}, {})})
    s.copy([80], *tcpcopy, intercept=intercept)
    load = s.load(connections=20, turns=60 * s.scale, period=0.05)
    time.sleep(0.5)
    s.pair.intercept.kill()
    short_sessions(s, 5)
    time.sleep(0.5)
    assert s.pair.tcpcopy.alive(), s.pair.tcpcopy.errors()
    s.pair.start_intercept()
    s.pair.wait_reconnected()
    short_sessions(s, 20)
    load.finish()
    assert s.end()["answers"]["disconnects"] == 1


@scenario(9)
def intercept_restarts_with_a_key(s):
    """Live connections are announced to it again."""
    key = f"{s.lab.folder}/key"
    subprocess.run([program("tcpcopy"), "genkey", key], stderr=subprocess.DEVNULL, check=True)
    intercept_restarts(s, ["--key", key], ["--key", key])


@scenario(9)
def intercept_restarts_without_a_key(s):
    """Packets of live connections are offered to who copies to their target."""
    intercept_restarts(s)


@scenario(9)
def intercept_restarts_and_may_not_offer(s):
    """What was open and cannot be found again ends for a reason, and tcpcopy says what would mend it."""
    s.serve({80: ({}, {})})
    s.copy([80], "-k", "2", "--max-lag", "2", intercept=["--offers", "1"])
    load = s.load(connections=20, turns=100 * s.scale, period=0.05)
    time.sleep(0.5)
    s.pair.intercept.kill()
    time.sleep(0.5)
    s.pair.start_intercept()
    s.pair.wait_reconnected()
    names = set(short_sessions(s, 20))
    load.finish()
    here, there = s.online.turns(), s.target.turns()
    summary = s.end_copy()
    assert said_by(here, names) == said_by(there, names), summary
    lost = summary["bytes"]["lost"]
    assert lost and lost.keys() <= {"no-answers", "no-ack", "lag"}, summary
    assert any("--key" in hint for hint in s.pair.hints()), s.pair.tcpcopy.errors()
    return "lost for: " + ", ".join(f"{reason} ({count} bytes)" for reason, count in lost.items())


@scenario(9)
def tcpcopy_restarts(s):
    """It joins what is open, on connections that the target still has; what begins afterwards is copied whole."""
    s.begin({80: ({}, {})})
    load = s.load(connections=20, turns=100 * s.scale, period=0.05)
    time.sleep(0.5)
    s.pair.tcpcopy.kill()
    time.sleep(0.5)
    assert s.pair.intercept.alive(), s.pair.intercept.errors()
    s.pair.start_tcpcopy()
    joined_by = time.monotonic() + 0.5 + 2 * s.slack
    names = set(short_sessions(s, 20))
    load.finish()
    s.settle(2)
    summary = s.end_copy()
    s.end_servers()
    here, there = s.online.turns(), s.target.turns()
    assert summary["bytes"]["lost"] == {} and summary["sessions"]["joined"] == 20, summary
    assert said_by(here, names) == said_by(there, names), summary
    copied = {row["crc"] for row in s.target.rows() if "crc" in row}
    for client in {client for _, client, _ in here} - names:
        turns = sorted((turn, row) for (_, c, turn), row in here.items() if c == client)
        missing = [turn for turn, row in turns if row["crc"] not in copied]
        # what it missed lies between the kill and its join, in one piece
        assert missing == list(range(missing[0], missing[-1] + 1)) and missing[-1] < turns[-1][0], f"{client}: {missing}"
        assert dict(turns)[missing[-1]]["at"] < joined_by, f"{client}: joined late"


@scenario(9)
def target_restarts(s):
    """What was open ends at the target, for a reason; what begins afterwards is copied whole."""
    s.begin({80: ({}, {})})
    load = s.load(connections=20, turns=60 * s.scale, period=0.05)
    until(lambda: len(s.target.turns()) >= 100, 2)
    s.target.process.kill()
    time.sleep(0.5)
    before = len(s.target.turns())
    assert before >= 100, f"only {before} turns were there when the target was killed: this proves nothing"
    s.target = Turns(s.target_host, {8080: {}})
    names = set(short_sessions(s, 20))
    load.finish()
    s.settle(2)
    here, there = s.online.turns(), s.target.turns()
    summary = s.end_copy()
    s.end_servers()
    assert said_by(here, names) == said_by(there, names), summary
    lost = summary["bytes"]["lost"]
    assert lost and lost.keys() <= {"target-rst", "refused"}, summary
    return "lost for: " + ", ".join(f"{reason} ({count} bytes)" for reason, count in lost.items())
