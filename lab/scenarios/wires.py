# SPDX-License-Identifier: BSD-2-Clause
"""wires.py - scenario 5: networks that lose, delay, reorder and duplicate, on the way to the target or to the clients"""

import time

from load import Session
from stage import TOOLS_CPU, scenario
from web import percentile
from wire import Wire

# one after another, in both directions of a wire; shares in percent
FAULTS = ({"loss": 0.1}, {"loss": 1}, {"loss": 3}, {"delay": "20ms"}, {"reorder": 5, "hold": "3ms"}, {"duplicate": 5},
          {"delay": "20ms", "jitter": "10ms", "loss": 1, "reorder": 1, "hold": "15ms", "duplicate": 1})
PATIENCE = 30           # seconds for what a lost packet of a client or a copy costs, when it is lost again and again
AWAY = {"delay": "20ms"}
AWAY_P99 = 0.050        # seconds that the copy is behind, with clients and target that far away


def wire_to_target(s):
    wire = Wire(s.lab, "way", TOOLS_CPU)
    wire.cut(s.net.router, "servers", s.target_host)
    return wire


def wire_to_clients(s):
    wire = Wire(s.lab, "line", TOOLS_CPU)
    wire.cut(s.net.router, "clients", s.client)
    return wire


def badly(s, wire):
    """Kept connections with long bodies, and short ones, through all faults."""
    wire.start()
    s.begin({80: ({}, {})})
    for faults in FAULTS:
        wire.stop()
        wire.start(ab=faults, ba=faults)
        load = s.load(connections=10, turns=5 * s.scale, body=15000, answer=3000, period=0.05)
        for _ in range(3 * s.scale):
            session = Session(s.client, s.address, 80)
            session.turn(500, 500)
            session.close()
        load.finish(PATIENCE * 2)
    s.settle(PATIENCE)
    said = s.end()["deliver"]
    lags = s.lags()
    return f"{said['retransmits']} of {said['segments']} segments sent again; {percentile(lags, 50) * 1000:.0f} ms later in the median"


@scenario(5)
def bad_way_to_the_target(s):
    return badly(s, wire_to_target(s))


@scenario(5)
def bad_way_to_the_clients(s):
    return badly(s, wire_to_clients(s))


@scenario(5)
def clients_and_target_far_away(s):
    """Closed loop: the copy would fall behind by a round trip each turn if it waited for each report."""
    for wire in (wire_to_target(s), wire_to_clients(s)):
        wire.start(ab=AWAY, ba=AWAY)
    s.begin({80: ({}, {})})
    with s.timed():
        s.load(connections=20, turns=60 * s.scale).finish()
        s.settle()
    s.end()
    lags = s.lags()
    text = f"{percentile(lags, 50) * 1000:.0f} ms later in the median, p99 {percentile(lags, 99) * 1000:.0f} ms"
    assert percentile(lags, 99) < AWAY_P99 + s.slack, text
    return text


@scenario(5)
def way_to_the_target_narrower_than_the_load(s):
    """Connections with 20 Mbit/s in all, a way of 5."""
    narrow = {"rate": 5, "queue": "64k"}
    wire_to_target(s).start(ab=narrow, ba=narrow)
    s.begin({80: ({}, {})}, "--max-lag=500ms")
    for _ in range(2 * s.scale):
        s.load(connections=10, turns=5, body=50000, period=0.2).finish()
    time.sleep(2)
    summary = s.end_with_losses()
    assert summary["bytes"]["lost"], "nothing was lost: this proves nothing"
    return f"{summary['fidelity_percent']} % copied; ended: {summary['sessions']['ended']}"
