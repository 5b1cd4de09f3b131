# SPDX-License-Identifier: BSD-2-Clause
"""slow.py - scenario 7: targets that are slow"""

from stage import SETTLE, private_dirty_bytes, scenario

MAX_LAG_S = 2
GROWTH_MAX = 48 << 20   # of tcpcopy: 10 MB/s for --max-lag, and --overlap to end in


@scenario(7)
def slow_target(s):
    """The target needs 50 ms; another does not read for seconds."""
    stop_s = min(2 * s.scale, 5)
    ports = {80: ({}, {"delay_ms": 50}), 81: ({}, {"stop_ms": stop_s * 1000})}
    s.begin(ports)
    loads = [s.load(80, connections=10, turns=15 * s.scale, period=0.1), s.load(81, connections=4, turns=10, body=64 << 10, period=0.1)]
    for load in loads:
        load.finish()
    s.settle(stop_s + SETTLE)
    s.end()


@scenario(7)
def target_far_too_slow(s):
    """It takes one turn while clients take ten: lag and memory have their bounds, sessions beyond them end for it, others are complete."""
    ports = {80: ({}, {"delay_ms": 1000, "stop_ms": 1}), 81: ({}, {})}
    s.begin(ports, "--max-lag", f"{MAX_LAG_S}s")
    before = private_dirty_bytes(s.pair.tcpcopy)
    slow = s.load(80, connections=5, turns=50 * s.scale, body=200 << 10, period=0.1)
    s.load(81, connections=5, turns=50 * s.scale, period=0.1).finish()
    slow.finish()
    growth = private_dirty_bytes(s.pair.tcpcopy) - before
    s.settle(MAX_LAG_S)
    summary = s.end_copy()
    s.end_servers()

    here, there = s.online.turns(), {(port - 8000, client, turn): row for (port, client, turn), row in s.target.turns().items()}
    assert all(there[key]["crc"] == row["crc"] for key, row in here.items() if key[0] == 81), "the other target's sessions are not complete"
    assert all(here[key]["crc"] == row["crc"] for key, row in there.items()), "the slow one has what was never said"
    lost = summary["bytes"]["lost"]
    assert set(lost) == {"lag"} and summary["sessions"]["complete"] == 5, summary
    assert summary["bytes"]["to_copy"] == summary["bytes"]["delivered"] + lost["lag"], summary
    # a power of two above what was spoken last before --max-lag ended it
    assert summary["turns"]["lag_p99_us"] <= 2 * MAX_LAG_S * 1e6 * 1.05, summary
    assert growth < GROWTH_MAX, f"it grew by {growth >> 10} kB"
    return f"{lost['lag'] >> 20} MB lost for lag; {growth >> 10} kB more"
