# SPDX-License-Identifier: BSD-2-Clause
"""hosts.py - scenario 11: what the production host has of its own"""

from lab import LabError
from load import Session
from stage import Skip, firewall, need, scenario


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


# Of each family: TCP, by the byte that says so in the header behind Ethernet's
IS_TCP = {"ip": "4,48 0 0 23,21 0 1 6,6 0 0 4294967295,6 0 0 0", "ipv6": "4,48 0 0 20,21 0 1 6,6 0 0 4294967295,6 0 0 0"}


@scenario(11)
def capture_on_a_device_whose_packets_are_redirected(s):
    """tc moves them from eth0 to another device before IP sees them; there the server's address is. eth0 is what is read."""
    host = s.online_host
    addresses = "10.2.0.2/32", "fd02::2/128"
    host.run("ip", "address", "flush", "dev", "eth0", "scope", "global")
    host.link("add", "service", "type", "veth", "peer", "name", "unused")
    host.sysctl("net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=0", "net.ipv4.conf.service.rp_filter=0")
    for address in addresses:
        host.address("service", address)
    for device in ("service", "unused"):
        host.link("set", device, "up")
    mac = host.run("cat", "/sys/class/net/eth0/address").strip()
    host.link("set", "service", "address", mac)
    for network, router, address in (("10.2.0.0/24", "10.2.0.1", addresses[0]), ("fd02::/64", "fd02::1", addresses[1])):
        host.run("ip", "route", "replace", network, "dev", "eth0", "src", address.split("/")[0])
        host.run("ip", "route", "replace", "default", "via", router)
    # ARP is answered for all addresses of a host, neighbour solicitations for those of the device alone
    s.net.router.run("ip", "neigh", "replace", addresses[1].split("/")[0], "lladdr", mac, "dev", "servers", "nud", "permanent")
    host.run("tc", "qdisc", "add", "dev", "eth0", "clsact")
    try:
        for family, test in IS_TCP.items():
            host.run("tc", "filter", "add", "dev", "eth0", "ingress", "protocol", family, "bpf", "bytecode", test,
                     "action", "mirred", "ingress", "redirect", "dev", "service")
    except LabError as e:
        raise Skip(f"machine: the kernel has no tc action mirred: {e}") from e
    s.begin({80: ({}, {})}, "-i", "eth0")
    s.load(connections=10, turns=20 * s.scale, period=0.02).finish()
    s.end()
    moved = host.run("tc", "-s", "filter", "show", "dev", "eth0", "ingress")
    assert " 0 pkt" not in moved.split("protocol ipv6" if s.six else "protocol ip ", 1)[1].split("protocol")[0], moved
