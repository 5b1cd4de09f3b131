# SPDX-License-Identifier: BSD-2-Clause
"""pair.py - tcpcopy and intercept on the three hosts: start, wait until they copy, stop, and what they say at the end"""

import json
import os
import shlex

from lab import LabError, until

PORT = 36524


def program(name):
    """The path of a program: in TCPCOPY_BUILD, or in build/ of this tree."""
    build = os.environ.get("TCPCOPY_BUILD") or os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "build")
    path = os.path.join(build, name)
    if not os.access(path, os.X_OK):
        raise LabError(f"there is no {path}: build it with make, or set TCPCOPY_BUILD to the build directory")
    return path


def listens(process, port):
    """Is there a listening TCP socket on this port on the host of a process?"""
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{process.pid}/net/{table}", encoding="ascii") as f:
            for row in f.read().splitlines()[1:]:
                fields = row.split()
                if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == port:
                    return True
    return False


class Pair:
    """Copies what comes to online:80 to target:8080, of @net: ThreeHosts.

    @tcpcopy, @intercept: further arguments; @maps: for -x, instead of IPv4 alone
    """

    def __init__(self, net, cpu, tcpcopy=(), intercept=(), maps=None):
        self.net, self.cpu = net, cpu
        self.tcpcopy_args = ["-x", maps or f"80-{net.target.ip}:8080", "-s", net.assistant.ip, *tcpcopy]
        self.intercept_args = ["-i", "eth0", "-F", "tcp and src port 8080", *intercept]
        self.tcpcopy_command = "tcpcopy " + shlex.join(self.tcpcopy_args)
        self.intercept_command = "intercept " + shlex.join(self.intercept_args)
        self.tcpcopy = self.intercept = None

    def start(self):
        self.start_intercept()
        self.start_tcpcopy()

    def start_intercept(self):
        self.intercept = self.net.assistant.start("intercept", program("intercept"), *self.intercept_args, cpu=self.cpu)
        self._wait(self.intercept, lambda: listens(self.intercept, PORT), f"listens on port {PORT}")

    def start_tcpcopy(self):
        self.tcpcopy = self.net.online.start("tcpcopy", program("tcpcopy"), "--json", *self.tcpcopy_args, cpu=self.cpu)
        self._wait(self.tcpcopy, lambda: "connected to " in self.tcpcopy.errors(), "connected to intercept")

    def wait_reconnected(self):
        """After a start of intercept alone: until tcpcopy has come back to it."""
        self._wait(self.intercept, lambda: "a tcpcopy has come" in self.intercept.errors(), "a tcpcopy has come")

    def _wait(self, process, condition, what):
        if not until(lambda: not process.alive() or condition(), 10):
            raise LabError(f"{process.name} does not get to: {what}\n{process.errors()}")
        if not process.alive():
            raise LabError(f"{process.name} ended with status {process.code}\n{process.errors()}")

    def stop(self):
        """End both, tcpcopy first; return its summary."""
        for process in (self.tcpcopy, self.intercept):
            if process.stop() != 0:
                raise LabError(f"{process.name} ended with status {process.code}\n{process.errors()}")
        return self.summary()

    def summary(self):
        """The object that --json prints at the end."""
        rows = self.tcpcopy.output().splitlines()
        if not rows:
            raise LabError(f"tcpcopy printed no summary\n{self.tcpcopy.errors()}")
        return json.loads(rows[-1])

    def hints(self):
        """What tcpcopy says about a likely cause of losses, below its summary."""
        return [row for row in self.tcpcopy.errors().splitlines() if row.startswith("tcpcopy: ")]
