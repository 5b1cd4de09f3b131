# SPDX-License-Identifier: BSD-2-Clause
"""hosts.py - scenario 11: what the production host has of its own"""

from load import Session
from stage import firewall, need, scenario


@scenario(11)
def conntrack_and_invalid_drop(s):
    """On the online host; the copy passes, and nobody tracks it."""
    need("nft", "nftables")
    need("conntrack", "conntrack")
    firewall(s.online_host, "in ct state invalid drop", "out ct state invalid drop")
    s.begin({80: ({}, {})})
    s.load(connections=10, turns=20 * s.scale, period=0.02).finish()
    for _ in range(20 * s.scale):
        session = Session(s.client, s.address, 80)
        session.turn(200, 200)
        session.close()
    s.settle()
    tracked = s.online_host.run("conntrack", "-L", "-f", "ipv6" if s.six else "ipv4").splitlines()
    assert any(f"dst={s.address} " in row for row in tracked), "connection tracking is not at work: this proves nothing"
    copies = [row for row in tracked if f"dst={s.target_address} " in row and "dport=8080 " in row]
    s.end()
    assert copies == [], f"{len(copies)} entries for the copy, as {copies[0]}"


@scenario(11)
def capture_on_a_port_of_a_bridge(s):
    """The address is the bridge's; the device that is read has none."""
    host = s.online_host
    host.link("add", "br0", "type", "bridge")
    host.run("ip", "address", "flush", "dev", "eth0")
    host.link("set", "eth0", "master", "br0")
    host.address("br0", "10.2.0.2/24")
    host.address("br0", "fd02::2/64")
    host.link("set", "br0", "up")
    # routes of the other family are still there
    host.run("ip", "route", "replace", "default", "via", "10.2.0.1")
    host.run("ip", "-6", "route", "replace", "default", "via", "fd02::1")
    s.begin({80: ({}, {})}, "-i", "eth0")
    s.load(connections=10, turns=20 * s.scale, period=0.02).finish()
    s.end()
