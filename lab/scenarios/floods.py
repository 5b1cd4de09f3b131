# SPDX-License-Identifier: BSD-2-Clause
"""floods.py - scenario 14: a flood"""

import socket

from lab import Watch
from load import flood_syns
from stage import resident_kb, scenario


@scenario(14)
def flood_of_syns(s):
    """None of them completes: no session, no packet to the target, flat memory; and who is real is copied."""
    s.begin({80: ({}, {})})
    s.online_host.sysctl("net.ipv4.tcp_syncookies=1")
    s.load(connections=5, turns=2).finish()
    s.settle()
    wire = Watch(s.target_host, "eth0", s.target_address)
    strangers = [f"fd01::{i}" if s.six else f"10.1.0.{i}" for i in range(100, 200)]
    syns = 12000 * s.scale
    before = resident_kb(s.pair.tcpcopy)
    flood_syns(s.client, strangers, s.address, 80, syns, 8000)
    growth = resident_kb(s.pair.tcpcopy) - before
    source = slice(22, 38) if s.six else slice(26, 30)
    unknown = {socket.inet_pton(socket.AF_INET6 if s.six else socket.AF_INET, address) for address in strangers}
    strange = [frame for frame in wire.frames() if frame[source] in unknown]
    wire.close()
    s.load(connections=5, turns=2).finish()
    summary = s.end()
    assert strange == [], f"{len(strange)} packets of the flood went to the target"
    assert summary["sessions"]["opened"] == 10, summary
    # a SYN waits for its handshake in room that was set aside at start, and touched only now
    assert growth < 6144, f"it grew by {growth} kB"
    return f"{growth} kB more after {syns} SYNs"
