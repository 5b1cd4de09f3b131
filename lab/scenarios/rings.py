# SPDX-License-Identifier: BSD-2-Clause
"""rings.py - scenario 13: copies that would be copied again"""

import collections
import json

from lab import until
from pair import program
from stage import TOOLS_CPU, scenario


@scenario(13)
def target_that_is_the_online_address(s):
    """Refused at once: it would copy its own copies."""
    to = f"[{s.address}]" if s.six else s.address
    process = s.online_host.start("tcpcopy", program("tcpcopy"), "-x", f"80-{to}:80", "-s", s.net.assistant.ip, cpu=TOOLS_CPU)
    assert until(lambda: not process.alive(), 3), "it runs"
    assert process.code in (1, 2), process.errors()
    assert s.address in process.errors(), process.errors()


@scenario(13)
def two_copies_in_a_ring(s):
    """The target's host copies back to the online server, from clients of its own: the second copy takes nothing, and says why."""
    there, back = ("fd01::1:0/122", "fd03::/122") if s.six else ("10.1.0.128/26", "10.3.0.128/26")
    s.online_host.route(back, s.net.assistant.ip6 if s.six else s.net.assistant.ip)
    s.begin({80: ({}, {})}, "-c", there)
    to = f"[{s.address}]" if s.six else s.address
    second = s.target_host.start("tcpcopy-back", program("tcpcopy"), "-x", f"8080-{to}:80", "-s", s.net.assistant.ip, "-c", back, "--json",
                                 cpu=TOOLS_CPU)
    assert until(lambda: "connected to " in second.errors(), 10), second.errors()

    s.load(connections=5, turns=10 * s.scale, period=0.1).finish()
    s.settle()
    assert until(lambda: "copies of another tcpcopy arrive here" in second.errors(), 5), second.errors()
    said, copied = (collections.Counter(row["crc"] for row in server.turns().values()) for server in (s.online, s.target))
    assert second.stop() == 0, second.errors()
    summary = s.end_copy()
    refused = json.loads(second.output().splitlines()[-1])
    assert said == copied and said.total() == 50 * s.scale, f"{said.total()} turns at the online server, {copied.total()} at the target"
    assert summary["fidelity_percent"] == 100, summary
    assert (refused["sessions"]["opened"], refused["deliver"]["segments"], refused["balance"]) == (0, 0, True), refused
    assert refused["packets"]["drops"] == {"from-copy": refused["packets"]["seen"]}, refused
    return f"{refused['packets']['seen']} packets of the first copy were not copied again"
