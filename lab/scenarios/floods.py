# SPDX-License-Identifier: BSD-2-Clause
"""floods.py - scenario 14: a flood"""

from lab import Watch
from load import flood_syns
from stage import resident_kb, scenario


@scenario(14, ipv6=False)
def flood_of_syns(s):
    """None of them completes: no session, no packet to the target, flat memory; and who is real is copied."""
    s.begin({80: ({}, {})})
    s.online_host.sysctl("net.ipv4.tcp_syncookies=1")
    s.load(connections=5, turns=2).finish()
    s.settle()
    wire = Watch(s.target_host, "eth0", s.target_host.ip)
    syns = 12000 * s.scale
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
