# SPDX-License-Identifier: BSD-2-Clause
"""wire.py - a wire of some length, width and badness between two devices, by the program lab/wire.c"""

import json

from lab import LabError, until
from pair import program


class Wire:
    """One wire in a host of its own. Plug in both ends, start it, and stop it to learn what became of the frames.

        host a [eth0] ===== [end-a  wire  end-b] ===== [eth0] host b, or a port of a bridge
                                    ab -->
                                    <-- ba

    Settings are those of `wire --help`, without their direction: {"delay": "20ms", "rate": 20, "queue": "32k", "loss": 1}.
    """

    def __init__(self, lab, name, cpu):
        self.cpu, self.process = cpu, None
        self.host = lab.host(name)
        # the kernel here hears every frame: it shall have nothing to say
        self.host.sysctl("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")

    def plug(self, end, host, device, *addresses):
        """Join end "a" or "b" to a new device of a host."""
        self.host.link("add", f"end-{end}", "type", "veth", "peer", "name", device, "netns", host.ns)
        self.host.link("set", f"end-{end}", "up")
        for address in addresses:
            host.address(device, address)
        host.link("set", device, "up")

    def plug_bridge(self, end, router, bridge):
        """Join end "a" or "b" to a new port of a bridge."""
        port = f"port-{self.host.name}"
        self.plug(end, router, port)
        router.link("set", port, "master", bridge)

    def cut(self, router, bridge, host):
        """Into the cable between a host (end "a") and its bridge: see Lab.join()."""
        port = f"port-{host.name}"
        router.link("set", port, "nomaster")
        router.link("set", port, "netns", self.host.ns, "name", "end-a")
        self.host.link("set", "end-a", "up")
        self.plug_bridge("b", router, bridge)

    def start(self, ab=None, ba=None, seed=1):
        settings = [f"--{way}-{name}={value}" for way, chosen in (("ab", ab), ("ba", ba)) for name, value in (chosen or {}).items()]
        self.process = self.host.start("wire", program("lab/wire"), "-a", "end-a", "-b", "end-b", f"--seed={seed}", *settings, cpu=self.cpu)
        if not until(lambda: not self.process.alive() or "are joined" in self.process.errors(), 10) or not self.process.alive():
            raise LabError(f"the wire does not start\n{self.process.errors()}")

    def stop(self):
        """What it counted: {"ab": {...}, "ba": {...}}."""
        if self.process.stop() != 0:
            raise LabError(f"the wire ended with status {self.process.code}\n{self.process.errors()}")
        return json.loads(self.process.output())
