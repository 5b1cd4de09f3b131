# SPDX-License-Identifier: BSD-2-Clause
"""paths.py - scenario 10: what routes, devices and the target's host refuse"""

import time

from lab import Watch, until
from stage import firewall, need, scenario
from scenarios.bodies import offloads


@scenario(10)
def route_with_a_small_mtu(s):
    """Packets have the size that the route allows, whatever the device does."""
    need("ethtool", "ethtool")
    s.online_host.run("ip", "route", "add", s.target_address, "dev", "eth0", "mtu", "1400")
    # what leaves in one piece is then cut before it is seen on the wire
    s.online_host.run("ethtool", "-K", "eth0", "tso", "off", "gso", "off")
    s.begin({80: ({}, {})})
    wire = Watch(s.target_host, "eth0", s.target_address)
    s.load(connections=4, turns=5 * s.scale, body=20000).finish()
    s.settle()
    sizes = [len(frame) - 14 for frame in wire.frames()]
    wire.close()
    s.end()
    assert 1300 < max(sizes) <= 1400, f"the longest packet has {max(sizes)} bytes"


@scenario(10)
def hop_with_a_small_mtu_that_says_nothing(s):
    """A port of the switch before the target takes 1400 bytes, and drops what is longer without a word: smaller segments are found."""
    need("ethtool", "ethtool")
    offloads(s, "off")
    s.net.router.link("set", "port-target", "mtu", "1400")
    s.net.router.link("set", "servers", "mtu", "1500")  # it would follow its ports, and tell the clients
    s.begin({80: ({}, {})})
    s.load(connections=4, turns=5 * s.scale, body=20000).finish()
    summary = s.end()
    assert summary["deliver"]["rtos"] > 0, f"nothing was dropped: this proves nothing; {summary}"


@scenario(10)
def target_that_our_own_firewall_refuses(s):
    """Each send is an error, EPERM; once the rule is gone what begins is complete."""
    need("nft", "nftables")
    firewall(s.online_host, "out tcp dport 8080 drop")
    s.begin({80: ({}, {})}, "--deliver", "raw", "-k", "2", "--max-lag", "2s")
    s.load(connections=10, turns=30, period=0.1).finish()
    assert s.target.turns() == {}
    s.online_host.run("nft", "delete", "table", "inet", "lab")
    before = len(s.online.connections())
    s.load(connections=10, turns=10 * s.scale, period=0.1).finish()
    until(lambda: len(s.target.turns()) == 100 * s.scale, 10)
    summary = s.end_copy()
    s.end_servers()
    here, there = s.online.whole(), s.target.whole(8000)
    assert before == 10 and there.total() == 10 and not there - here, f"{there.total()} are at the target; {summary}"
    assert summary["deliver"]["errors"] > 0, summary
    assert summary["sessions"]["complete"] == 10 and set(summary["bytes"]["lost"]) == {"no-syn-ack"}, summary
    return f"{summary['deliver']['errors']} sends were refused"


@scenario(10)
def interface_down_for_two_seconds(s):
    """TCP of the clients outlives it, and so does the copy."""
    s.online_host.sysctl("net.ipv6.conf.all.keep_addr_on_down=1")
    s.begin({80: ({}, {})})
    load = s.load(connections=10, turns=60 * s.scale, period=0.1)
    time.sleep(1)
    s.online_host.link("set", "eth0", "down")
    time.sleep(2)
    s.online_host.link("set", "eth0", "up")
    for router in ("10.2.0.1", "fd02::1"):
        s.online_host.route("default", router)
    load.finish()
    s.end()


def copy_in_vain(s, reason, to=None):
    """Clients do not notice, and all that they said is lost for this reason."""
    s.copy([80], "-k", "2", "--max-lag", "2s", to=to)  # where nothing answers, some SYNs are held back
    s.load(connections=10, turns=30 + 10 * s.scale, period=0.1).finish()
    summary = s.end_copy()
    assert s.target.turns() == {}
    said = sum(row["bytes"] for row in s.online.connections())
    lost = summary["bytes"]["lost"]
    # a connection that was not accepted is tried again at a later turn, and may be asking when tcpcopy is stopped
    assert reason in lost and set(lost) <= {reason, "stopped"} and sum(lost.values()) == said, f"{said} bytes were said; {summary}"
    assert (summary["bytes"]["delivered"], summary["fidelity_percent"]) == (0, 0), summary


@scenario(10)
def target_without_a_listener(s):
    """Its host answers with RST."""
    s.serve({80: ({}, {})})
    assert s.target.process.stop() == 0
    copy_in_vain(s, "refused")


@scenario(10)
def target_that_refuses(s):
    """Its firewall answers with ICMP, which must not get to the clients either."""
    need("nft", "nftables")
    s.serve({80: ({}, {})})
    firewall(s.target_host, "in tcp dport 8080 counter reject")
    copy_in_vain(s, "no-syn-ack")
    assert "packets 0 " not in s.target_host.run("nft", "list", "ruleset"), "nothing was refused: this proves nothing"


@scenario(10)
def target_that_is_not_there(s):
    """No host has its address."""
    s.serve({80: ({}, {})})
    copy_in_vain(s, "no-syn-ack", to="[fd02::99]" if s.six else "10.2.0.99")
