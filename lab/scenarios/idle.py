# SPDX-License-Identifier: BSD-2-Clause
"""idle.py - scenario 12: connections that are open and say nothing"""

import collections
import json
import os
import signal
import sys

from lab import until
from stage import SERVERS_CPU, private_dirty_bytes, scenario

LAB = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SERVERS = 2             # a process may have 20,000 descriptors
BYTES_MAX = 400         # of tcpcopy, for each connection
BYTES_MAX_INTERCEPT = 110   # as --flows says, and what is touched once


class Echoes:
    """recorder.py on a host, SERVERS times, on ports from @first on."""

    def __init__(self, host, first):
        self.first, self.logs, self.processes = first, [], []
        for port in range(first, first + SERVERS):
            log = os.path.join(host.lab.folder, f"echoes-{host.name}-{port}")
            self.logs.append(log)
            self.processes.append(host.start(f"echo-{port}", sys.executable, "-B", os.path.join(LAB, "recorder.py"), log,
                                             f"echo:{port}-{port}", cpu=SERVERS_CPU))
        assert until(lambda: all("ready" in p.output() for p in self.processes), 10)

    def stop(self):
        """{(number of the server, client, bytes, digest): how many}"""
        heard = collections.Counter()
        for p in self.processes:
            assert p.stop(60) == 0, p.errors()
        for i, log in enumerate(self.logs):
            with open(log, encoding="ascii") as f:
                rows = map(json.loads, f)
                heard.update((i, row["client"], row["bytes"], row["digest"]) for row in rows)
        return heard


def established(host):
    """How many connections, of both ends, are on a host."""
    return len(host.run("ss", "-Htn", "state", "established").splitlines())


@scenario(12)
def idle_connections(s):
    """4,000 in tests and 20,000 in make lab: what each takes in tcpcopy, and that they still work afterwards."""
    count = 4000 * s.scale
    s.client.sysctl("net.ipv4.ip_local_port_range=1024 65535")
    online, target = Echoes(s.online_host, 80), Echoes(s.target_host, 8080)
    s.copy([80, 81], "--sessions", str(count), intercept=["--flows", str(count), "--queue", "1024"])
    before = private_dirty_bytes(s.pair.tcpcopy), private_dirty_bytes(s.pair.intercept)
    crowds = [s.client.start(f"crowd-{i}", sys.executable, "-B", os.path.join(LAB, "crowd.py"), s.address, str(80 + i),
                             str(count // SERVERS), "1000", cpu=SERVERS_CPU) for i in range(SERVERS)]
    assert until(lambda: all("open" in c.output() for c in crowds), 60), [c.errors() for c in crowds]
    assert until(lambda: established(s.target_host) == count, 20), f"{established(s.target_host)} of {count} are open at the target"
    each, each_there = ((private_dirty_bytes(p) - b) / count for p, b in zip((s.pair.tcpcopy, s.pair.intercept), before))

    for crowd in crowds:
        crowd.signal(signal.SIGUSR1)
    assert until(lambda: all("heard" in c.output() or not c.alive() for c in crowds), 60), [c.errors() for c in crowds]
    assert until(lambda: all(c.stop() == 0 for c in crowds), 60), [c.errors() for c in crowds]
    until(lambda: established(s.target_host) == 0, 20)
    summary = s.end_copy()
    said, copied = online.stop(), target.stop()
    assert said.total() == count and said == copied, f"{said.total()} connections online, {(said - copied).total()} not at the target"
    assert summary["fidelity_percent"] == 100 and summary["sessions"]["complete"] == count, summary
    assert each <= BYTES_MAX, f"{each:.0f} bytes each in tcpcopy"
    assert each_there <= BYTES_MAX_INTERCEPT, f"{each_there:.0f} bytes each in intercept"
    return f"{count} take {each:.0f} bytes each in tcpcopy, {each_there:.0f} in intercept"
