#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-2-Clause
"""run.py [--rounds N] - CPU time for 1000 copied requests, of tcpcopy, of intercept, and of production; what `make bench` runs

Three ways take turns under the same load in the same namespaces, and medians over the rounds count: no copy at all, the default
ways of capturing and sending, and the classic's (raw sockets). Clients and servers run on one CPU, tcpcopy and intercept on another.
CPU time is what the scheduler charged to all threads of a process, user and system. On a wire between namespaces a sender is charged
for the receiving host's work as well: in tcpcopy's figure that is about half; in production's figure, the online server and its
clients together, it is how the price of capturing comes in. A run that did not copy every request has no figure, and the exit status
is 1.
"""

import argparse
import collections
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from lab import Lab, LabError, ThreeHosts, cpus, exit_on_signals, require_root, until  # pylint: disable=wrong-import-position
from pair import Pair  # pylint: disable=wrong-import-position
from web import Ab, Nginx, Wrk  # pylint: disable=wrong-import-position

WAYS = {
    "no copy": None,
    "default": [],
    "raw": ["--capture", "raw", "--deliver", "raw"],
}
IDLE_S = 2
WHO = ("tcpcopy", "intercept", "production")


def kept_alive(client, url, cpu):
    """50 connections that pause 5 ms on average between two requests"""
    return Wrk(client, url, "kept", 10000, 50, cpu, think_ms=5)


def full_speed(client, url, cpu):
    """50 connections without pauses"""
    return Wrk(client, url, "full", 20000, 50, cpu)


def short(client, url, cpu):
    """a connection for each request, 10 at once, full speed"""
    return Ab(client, url, "short", 5000, 10, cpu)


LOADS = (kept_alive, full_speed, short)


class Bench:
    """.figures[what, way, who]: one value a round"""

    def __init__(self, lab):
        self.net = ThreeHosts(lab, clients=1)
        self.online, self.target = (Nginx(host, port, cpus()[0]) for host, port in ((self.net.online, 80), (self.net.target, 8080)))
        self.figures = collections.defaultdict(list)
        self.complete = True

    def measure(self, way, pair, load):
        """One load, until the target has served all of it."""
        measured = {"production": self.online.process, **({"tcpcopy": pair.tcpcopy, "intercept": pair.intercept} if pair else {})}
        before = {who: process.cpu_ns() for who, process in measured.items()}
        here, there = self.online.count(), self.target.count()
        running = load(self.net.clients[0], self.online.url, cpus()[0])
        running.finish(60)
        requests = self.online.count() - here
        if pair and not until(lambda: self.target.count() - there >= requests, 5):
            self.complete = False
            return
        used = {who: process.cpu_ns() - before[who] for who, process in measured.items()}
        used["production"] += running.process.cpu_s * 1e9
        for who, ns in used.items():
            self.figures[load.__name__, way, who].append(ns / 1e3 / requests)

    def idle(self, way, pair):
        before = [(who, process, process.cpu_ns()) for who, process in (("tcpcopy", pair.tcpcopy), ("intercept", pair.intercept))]
        time.sleep(IDLE_S)
        for who, process, ns in before:
            self.figures["idle", way, who].append((process.cpu_ns() - ns) / 1e6 / IDLE_S)

    def one_round(self, way):
        pair = None
        if WAYS[way] is not None:
            pair = Pair(self.net, cpus()[1], tcpcopy=WAYS[way])
            pair.start()
        for load in LOADS:
            self.measure(way, pair, load)
        if pair:
            self.idle(way, pair)
            pair.stop()

    def row(self, what, who):
        sides = {way: self.figures[what, way, who] for way in WAYS}
        cells = [f"{statistics.median(v):6.2f} ({min(v):.2f}-{max(v):.2f})" if v else "-" for v in sides.values()]
        ratio = f"{statistics.median(sides['raw']) / statistics.median(sides['default']):.2f}" if sides["raw"] and sides["default"] else "-"
        print("  " + f"{what:<12}{who:<12}" + "".join(f"{cell:>24}" for cell in cells) + f"{ratio:>14}")

    def report(self):
        print("\nCPU ms for 1000 requests; idle: CPU ms a second. Median (least-most).\n")
        print("  " + f"{'load':<12}{'who':<12}" + "".join(f"{way:>24}" for way in WAYS) + f"{'raw/default':>14}")
        for load in LOADS:
            for who in WHO:
                self.row(load.__name__, who)
        for who in WHO[:2]:
            self.row("idle", who)
        print()
        for load in LOADS:
            print(f"  {load.__name__:<12}{load.__doc__}")
        if not self.complete:
            print("\n  Some runs did not copy every request: they have no figure.")


def bench(rounds):
    with Lab() as lab:
        b = Bench(lab)
        for i in range(rounds):
            for way in WAYS:
                print(f"round {i + 1} of {rounds}: {way}", file=sys.stderr)
                b.one_round(way)
    b.report()
    return 0 if b.complete else 1


def main():
    parser = argparse.ArgumentParser(prog="bench/run.py", description="CPU time of tcpcopy, intercept and production for 1000 requests")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds of all ways and loads (default: 3)")
    args = parser.parse_args()
    require_root("The benchmark")
    exit_on_signals()
    try:
        return bench(args.rounds)
    except LabError as e:
        print(f"bench: {e}", file=sys.stderr)
        return 1


sys.exit(main())
