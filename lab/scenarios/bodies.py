# SPDX-License-Identifier: BSD-2-Clause
"""bodies.py - scenario 3: large bodies and answers"""

from load import Session
from stage import need, scenario, waited_s


def offloads(s, state):
    for host, devices in ((s.client, ["eth0"]), (s.online_host, ["eth0"]), (s.target_host, ["eth0"]),
                          (s.net.router, ["port-client1", "port-online", "port-target"])):
        for device in devices:
            host.run("ethtool", "-K", device, "tso", state, "gso", state, "gro", state)


def upload(s):
    """Bodies of 64 KB, 1 MB and 10 MB, answers of 1 MB; three uploads of 10 MB are timed, one after another."""
    s.begin({80: ({}, {})})
    loads = [s.load(connections=4, turns=4 * s.scale, body=64 << 10), s.load(connections=2, turns=s.scale, body=1 << 20),
             s.load(connections=2, turns=2 * s.scale, answer=1 << 20)]
    for load in loads:
        load.finish()
    s.settle()

    programs = s.pair.tcpcopy, s.pair.intercept, s.target.process
    session, lags, own = Session(s.client, s.address, 80), [], []
    for turn in range(1, 4):
        before = waited_s(*programs)
        session.turn(10 << 20, 500)
        s.settle()
        waited = waited_s(*programs) - before
        here, there = ([row["at"] for row in server.turns().values() if row["bytes"] == 10 << 20] for server in (s.online, s.target))
        assert len(here) == len(there) == turn, f"the target has {len(there)} of {turn} bodies of 10 MB"
        lags.append(there[-1] - here[-1])
        own.append(lags[-1] - waited)
    session.close()
    s.end()
    text = "bodies of 10 MB arrive later by " + ", ".join(f"{lag * 1000:.0f}" for lag in lags) + " ms"
    # tcpcopy is nice: what it waited for a busy machine is not its own
    assert sorted(own)[1] <= 0.1 + s.slack, f"{text}; without the waits for a CPU by {', '.join(f'{lag * 1000:.0f}' for lag in own)} ms"
    return text


@scenario(3)
def large_bodies_with_offloads(s):
    return upload(s)


@scenario(3)
def large_bodies_without_offloads(s):
    need("ethtool", "ethtool")
    offloads(s, "off")
    return upload(s)
