# SPDX-License-Identifier: BSD-2-Clause
"""test_caps.py - what the copy may take from production, and which sessions it takes: limits, shares, addresses and ports

Real programs on the hosts of lab/stage.py; its servers tell what arrived. Shedding itself is scenario 15 (lab/scenarios/starved.py).
"""

import collections
import contextlib
import json
import os
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.environ.get("TCPCOPY_SOURCE") or os.path.join(os.path.dirname(__file__), "..", ".."), "lab"))

from lab import Lab, until  # pylint: disable=wrong-import-position
from load import Load, Session  # pylint: disable=wrong-import-position
from pair import program  # pylint: disable=wrong-import-position
from stage import TOOLS_CPU, Stage  # pylint: disable=wrong-import-position

PLAIN = {80: ({}, {})}


@contextlib.contextmanager
def stage(six=False):
    with Lab(print) as lab:
        yield Stage(lab, six, 1, False)


def received(host):
    return int(host.run("cat", "/sys/class/net/eth0/statistics/rx_bytes"))


def said(server):
    """{(bytes, digest): how many connections}, whoever said it"""
    return collections.Counter((row["bytes"], row["digest"]) for row in server.connections() if row["bytes"])


def end(s):
    """Stop all; what was said at the target was said at the online server, from its beginning to its end. Return the summary."""
    summary = s.end_copy()
    s.end_servers()
    extra = set(said(s.target)) - set(said(s.online))
    assert not extra, f"{len(extra)} connections at the target are not as the online server had them; {summary}"
    return summary


@pytest.mark.parametrize("six", [False, True], ids=["ipv4", "ipv6"])
def test_what_is_sent_stays_within_max_out_and_all_of_it_arrives(six):
    with stage(six) as s:
        s.begin(PLAIN, "--max-out", "8M")
        session = Session(s.client, s.address, 80)
        bytes_before, began = received(s.target_host), time.monotonic()
        session.turn(2 << 20, 100)
        assert until(lambda: s.target.count() >= 1, 20), s.pair.tcpcopy.errors()
        seconds, bits = time.monotonic() - began, (received(s.target_host) - bytes_before) * 8
        # one burst, and one segment that leaves a debt
        assert bits <= 8e6 * (seconds + 0.005) + 8 * 65536, f"{bits} bits in {seconds} s"
        assert seconds > 1.5
        session.close()
        limits = s.end()["limits"]
        assert limits["out_bits"] == 8000000
        assert limits["out_delayed"] >= limits["out_waits"] > 10
        assert 1.5e6 < limits["out_waited_us"] < (seconds + 0.5) * 1e6
        assert "segments waited" in s.pair.tcpcopy.errors()


def test_sessions_that_fall_too_far_behind_for_it_end_and_the_others_are_complete():
    with stage() as s:
        s.begin(PLAIN, "--max-out", "2M", "--max-lag", "1")
        uploads = Load(s.client, s.address, 80, connections=2, turns=1, body=1 << 20)
        uploads.finish()
        time.sleep(3)
        Load(s.client, s.address, 80, connections=5, turns=2).finish()
        until(lambda: s.target.count() >= 10, 10)
        summary = s.end_with_losses()
        assert summary["sessions"]["ended"] == {"lag": 2, "closed": 5}, summary
        assert list(summary["bytes"]["lost"]) == ["lag"], summary


def test_a_fifth_of_the_links_speed_is_the_limit_without_an_order():
    with stage() as s:
        link = int(s.online_host.run("cat", "/sys/class/net/eth0/speed"))
        s.begin(PLAIN)
        s.load(connections=1, turns=1).finish()
        limits = s.end()["limits"]
        assert (limits["out_bits"], limits["out_waits"]) == (link * 1000000 // 5, 0)


def test_more_new_sessions_than_limit_sessions_are_shed_as_a_whole():
    with stage() as s:
        s.begin(PLAIN, "--limit-sessions", "5")
        began = time.monotonic()
        s.load(connections=40, turns=3, period=0.2).finish()
        seconds = time.monotonic() - began
        until(lambda: s.target.count() >= s.online.count(), 1)
        summary = end(s)
        ended = summary["sessions"]["ended"]
        assert ended["closed"] + ended["shed"] == 40, summary
        assert 5 <= ended["closed"] <= 6 + 5 * seconds, summary
        assert said(s.target).total() == ended["closed"], summary
        assert sum(summary["bytes"]["lost"].values()) > 0 and list(summary["bytes"]["lost"]) == ["shed"], summary


def test_a_ramp_copies_few_sessions_at_first_and_all_at_the_end_and_joins_none():
    seconds = 4
    with stage() as s:
        s.serve(PLAIN)
        early = [Session(s.client, s.address, 80) for _ in range(20)]
        s.copy([80], "--ramp", str(seconds))
        began, opened = time.monotonic(), {}
        for session in early:
            session.turn(100, 100)
        while time.monotonic() < began + seconds + 2:
            session = Session(s.client, s.address, 80)
            opened[session.sock.getsockname()[1]] = time.monotonic() - began
            session.turn(100, 100)
            session.close()
            time.sleep(0.005)
        for session in early:
            session.turn(100, 100)
            session.close()
        time.sleep(1)
        summary = end(s)
        copied = {int(row["client"].split(":")[-1]) for row in s.target.connections()}
        first = [port in copied for port, at in opened.items() if at < seconds / 4]
        last = [port in copied for port, at in opened.items() if at > seconds + 0.5]
        assert len(first) > 50 and sum(first) < len(first) * 0.4, f"{sum(first)} of {len(first)}"
        assert len(last) > 50 and all(last), f"{sum(last)} of {len(last)}"
        assert summary["sessions"]["joined"] == 0 and summary["fidelity_percent"] == 100, summary
        assert summary["packets"]["drops"]["sampled-out"] > 0, summary


@pytest.mark.parametrize("loopback, address", [("127.0.0.1", "10.1.0.99"), ("::1", "fd01::99")], ids=["ipv4", "ipv6"])
def test_clients_of_loopback_speak_from_the_address_of_localhost(loopback, address):
    with stage(":" in address) as s:
        s.begin(PLAIN, "-H", address)
        Load(s.online_host, loopback, 80, connections=3, turns=3).finish()
        s.load(connections=3, turns=3).finish()
        s.settle()
        summary = end(s)
        assert summary["fidelity_percent"] == 100 and said(s.target) == said(s.online), summary
        names = {row["client"].replace(loopback, address) if row["client"].startswith(loopback) else row["client"] for row in s.online.connections()}
        assert {row["client"] for row in s.target.connections()} == names


def test_a_slice_of_the_ports_is_kept_by_all_copies():
    with stage() as s:
        s.begin(PLAIN, "-f", "3", "-n", "2")
        s.load(connections=20, turns=2).finish()
        until(lambda: s.target.count() >= 80, 10)
        summary = end(s)
        assert said(s.target) == said(s.online) + said(s.online), summary
        names = [row["client"].split(":") for row in s.target.connections()]
        assert len(names) == len({port for _, port in names}) == 40, summary
        assert {address for address, _ in names} == {s.client.ip}
        assert all(1024 + 2 * 992 <= int(port) < 1024 + 3 * 992 for _, port in names), names


def test_two_tcpcopies_with_slices_of_their_own_copy_one_client_to_one_target():
    with stage() as s:
        s.begin(PLAIN, "-f", "1")
        other = s.online_host.start("tcpcopy-2", program("tcpcopy"), "--json", *s.pair.tcpcopy_args[:-1], "2", cpu=TOOLS_CPU)
        assert until(lambda: "connected to " in other.errors(), 10), other.errors()
        s.load(connections=20, turns=5, period=0.05).finish()
        until(lambda: s.target.count() >= 200, 10)
        assert other.stop() == 0
        summaries = json.loads(other.output()), end(s)
        assert said(s.target) == said(s.online) + said(s.online), summaries
        assert all(summary["fidelity_percent"] == 100 and summary["balance"] is True for summary in summaries), summaries


def test_turns_are_spoken_at_the_rate_that_is_asked_for():
    with stage() as s:
        s.begin(PLAIN, "--pace", "rate", "--rate", "20")
        s.load(connections=2, turns=20).finish()
        s.settle()
        s.end()
        times = collections.defaultdict(list)
        for (_, client, _), row in sorted(s.target.turns().items()):
            times[client].append(row["at"])
        for client, at in times.items():
            assert 0.9 < at[-1] - at[0] < 0.95 * 5, f"{client}: {at}"
