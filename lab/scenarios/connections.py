# SPDX-License-Identifier: BSD-2-Clause
"""connections.py - scenarios 6 and 8: how connections begin and end, and copies that begin in their midst"""

import collections
import time

from load import Session
from stage import scenario


@scenario(6)
def started_while_connections_are_busy(s):
    """What came before the joining is missing; from there on nothing is."""
    ports = {80: ({}, {})}
    s.serve(ports)
    load = s.load(connections=10, turns=200 * s.scale, period=0.01)
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


@scenario(8)
def ends_and_beginnings(s):
    """A client's RST, half-close, the server closes first, speaks first, and idle times."""
    greeting = len(b"220 ready\r\n")
    s.begin({80: ({}, {}), 81: ({"turns": 3}, {"turns": 3}), 82: ({"greet_ms": 0}, {"greet_ms": 300})})
    idle = [Session(s.client, s.address, 80) for _ in range(3)]
    for session in idle:
        session.turn(100, 100)
    left = time.monotonic()
    for _ in range(5 * s.scale):
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
    time.sleep(max(0.0, left + min(4 * s.scale, 20) - time.monotonic()))
    for session in idle:
        session.turn(100, 100)
        session.close()
    s.end()
