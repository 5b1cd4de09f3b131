# SPDX-License-Identifier: BSD-2-Clause
"""slow.py - scenario 7: targets that are slow"""

from stage import SETTLE, scenario


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
