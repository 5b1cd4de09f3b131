# SPDX-License-Identifier: BSD-2-Clause
"""test_copy.py - tcpcopy and intercept between real servers; what the servers logged is the truth

The topology is drawn in lab/lab.py, class ThreeHosts. The commands are echoed and, when a test fails, its logs are kept.
"""

import collections
import contextlib
import hashlib
import os
import socket
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.environ.get("TCPCOPY_SOURCE") or os.path.join(os.path.dirname(__file__), "..", ".."), "lab"))

from lab import Lab, ThreeHosts, Watch, cpus, until  # pylint: disable=wrong-import-position
from pair import Pair  # pylint: disable=wrong-import-position
from web import Ab, Comparison, Nginx, Wrk, echo_module  # pylint: disable=wrong-import-position

SERVERS_CPU, TOOLS_CPU = cpus()
Stage = collections.namedtuple("Stage", "net online target pair watch")


@contextlib.contextmanager
def stage(clients=1, keep_bodies=False, target_keepalive=1000000, maps="80-{target.ip}:8080", args=()):
    """Three hosts with two nginx, a running pair, and a watch for packets of the copy on the clients' wire."""
    with Lab(print) as lab:
        net = ThreeHosts(lab, clients)
        # few ports: the same address and port come back again and again, within seconds
        net.clients[-1].sysctl("net.ipv4.ip_local_port_range=20000 24095")
        online = Nginx(net.online, 80, SERVERS_CPU, keep_bodies)
        target = Nginx(net.target, 8080, SERVERS_CPU, keep_bodies, target_keepalive)
        pair = Pair(net, TOOLS_CPU, tcpcopy=args, maps=maps.format(target=net.target))
        pair.start()
        watch = Watch(net.router, "clients", net.target.ip)
        yield Stage(net, online, target, pair, watch)
        watch.close()


def settle(s, seconds=5):
    """Until the target has served as much as the online server, or the time is over: the comparison tells."""
    until(lambda: s.target.count() >= s.online.count(), seconds)


def assert_nothing_lost(s, requests=None):
    """The logs are equal, and what tcpcopy says of itself agrees with them."""
    settle(s)
    summary = s.pair.stop()
    if requests is not None:
        c = Comparison(s.online, s.target)
        assert len(c.online) == requests
        assert c.differences() == [], s.pair.tcpcopy.errors()
    assert summary["balance"] is True
    assert summary["fidelity_percent"] == 100


def copied(s, words):
    """How often the target served a request whose line has these words."""
    return sum(len(served) for request, served in s.target.requests().items() if words in request.line)


def assert_goes_on(s, before):
    """Connections that were open when a process was killed are copied again once it is back."""
    assert until(lambda: copied(s, "under") > before + 1000, 5, pause=0.2), s.pair.tcpcopy.errors()


def assert_copied(s, words, requests):
    """These requests are all there; others may have been lost with a process."""
    until(lambda: copied(s, words) >= requests, 5, pause=0.2)
    assert s.pair.stop()["balance"] is True
    assert copied(s, words) == requests, s.pair.tcpcopy.errors()
    assert [missing for missing in Comparison(s.online, s.target).missing if words in missing[0].line] == []


def test_every_request_of_50_kept_alive_connections_at_full_speed_is_served_by_the_target_too():
    with stage() as s:
        result = Wrk(s.net.clients[0], s.online.url, "full", 30000, 50, SERVERS_CPU).finish(30)
        assert result["errors"] == 0
        assert_nothing_lost(s, 30000)


def test_short_connections_whose_ports_come_back_within_seconds_are_all_copied():
    with stage() as s:
        result = Ab(s.net.clients[0], s.online.url, "short", 12000, 50, SERVERS_CPU).finish(30)
        assert result["errors"] == 0
        times = [len(served) for served in s.online.requests().values()]
        assert sum(times) / len(times) > 2, "the load did not use a port again and again: this test proves nothing"
        assert_nothing_lost(s, 12000)


def test_bodies_larger_than_a_packet_arrive_byte_for_byte():
    if not echo_module():
        pytest.skip("nginx has no echo module, which stores bodies; on Debian it comes with nginx-light")
    with stage(keep_bodies=True) as s:
        Wrk(s.net.clients[0], s.online.url, "body", 300, 10, SERVERS_CPU, paths=(("/upload", 1),)).finish(30)
        settle(s)
        c = Comparison(s.online, s.target)
        assert len(c.pairs) == 300
        digests = [tuple(hashlib.sha256(open(side.body, "rb").read()).digest() for side in pair) for pair in c.pairs]
        assert all(online == target for online, target in digests)
        assert len(set(digests)) == 16
        assert_nothing_lost(s)


def test_clients_of_both_families_are_copied_to_the_target_of_their_family():
    with stage(clients=2, maps="80-{target.ip}:8080,80-[{target.ip6}]:8080") as s:
        loads = [Wrk(s.net.clients[0], s.online.url6, "six", 4000, 20, SERVERS_CPU),
                 Wrk(s.net.clients[1], s.online.url, "four", 4000, 20, SERVERS_CPU)]
        assert [load.finish(30)["errors"] for load in loads] == [0, 0]
        assert_nothing_lost(s, 8000)
        assert sum(r.client.startswith("fd01:") for r in s.target.requests()) == 4000


def test_three_copies_of_each_session_come_from_addresses_of_the_list():
    with stage(args=("-n", "3", "-c", "10.1.0.128/25")) as s:
        load = Wrk(s.net.clients[0], s.online.url, "thrice", 2000, 20, SERVERS_CPU, think_ms=2)
        assert load.finish(30)["errors"] == 0
        until(lambda: s.target.count() >= 6000, 5)
        copies = collections.Counter(request.line for request in s.target.requests())
        assert set(copies) == {request.line for request in s.online.requests()}
        assert set(copies.values()) == {3}
        assert all(int(request.client.split(":")[0].split(".")[3]) >= 128 for request in s.target.requests())
        assert_nothing_lost(s)


def test_a_target_that_closes_connections_earlier_gets_the_rest_on_new_ones():
    with stage(target_keepalive=50) as s:
        load = Wrk(s.net.clients[0], s.online.url, "limit", 4000, 20, SERVERS_CPU, think_ms=2)
        assert load.finish(30)["errors"] == 0
        settle(s, 2)
        summary = s.pair.stop()
        # Some of what is said just before its FIN comes is lost, as a client's would be. Without new connections 1000 would be served.
        assert summary["sessions"]["reopened"] >= 50
        assert s.target.count() > 2500
        assert summary["balance"] is True


def test_nothing_of_the_copy_is_seen_on_the_clients_wire():
    with stage(clients=2) as s:
        loads = [Wrk(s.net.clients[0], s.online.url, "kept", 5000, 20, SERVERS_CPU, think_ms=2),
                 Ab(s.net.clients[1], s.online.url, "short", 2000, 20, SERVERS_CPU)]
        assert [load.finish(30)["errors"] for load in loads] == [0, 0]
        assert_nothing_lost(s, 7000)
        assert s.watch.frames() == []

        # the watch is awake: a packet with the target's address on that wire is seen
        with s.net.clients[0].socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", (s.net.target.ip, 9))
        assert until(s.watch.frames, 2) != []


def test_tcpcopy_outlives_an_intercept_that_is_killed_and_copies_again_when_it_is_back():
    with stage() as s:
        load = Wrk(s.net.clients[0], s.online.url, "under", 12000, 20, SERVERS_CPU, think_ms=5)
        assert until(lambda: s.target.count() > 500, 10)
        s.pair.intercept.kill()
        time.sleep(0.5)
        assert s.pair.tcpcopy.alive()
        before = copied(s, "under")
        s.pair.start_intercept()
        s.pair.wait_reconnected()
        assert load.finish(30)["errors"] == 0
        assert_goes_on(s, before)

        result = Ab(s.net.clients[0], s.online.url, "after", 1000, 20, SERVERS_CPU).finish(30)
        assert result["errors"] == 0
        assert_copied(s, "from=after", 1000)
        assert s.watch.frames() == []


def test_intercept_outlives_a_tcpcopy_that_is_killed_and_serves_the_next_one():
    with stage() as s:
        load = Wrk(s.net.clients[0], s.online.url, "under", 12000, 20, SERVERS_CPU, think_ms=5)
        assert until(lambda: s.target.count() > 500, 10)
        s.pair.tcpcopy.kill()
        time.sleep(0.5)
        assert s.pair.intercept.alive()
        before = copied(s, "under")
        s.pair.start_tcpcopy()
        assert load.finish(30)["errors"] == 0
        assert_goes_on(s, before)

        # the same ports again: the target still has connections of the first tcpcopy on them
        result = Ab(s.net.clients[0], s.online.url, "after", 2000, 20, SERVERS_CPU).finish(30)
        assert result["errors"] == 0
        assert_copied(s, "from=after", 2000)
        assert s.watch.frames() == []
