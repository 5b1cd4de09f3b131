#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-2-Clause
"""run.py [--rounds N] - CPU time of tcpcopy and of intercept for 1000 copied requests; what `make bench` runs

The default ways of capturing and sending, and the classic's (raw sockets), take turns under the same load in the same namespaces;
medians over the rounds count. Clients and servers run on one CPU, tcpcopy and intercept on another. CPU time is what the scheduler
charged to all threads of a process, user and system, from just before the load until the target has served all of it. A run that
did not copy every request has no figure, and the exit status is 1.
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
    "default": [],
    "raw": ["--capture", "raw", "--deliver", "raw"],
}
IDLE_S = 2
PROGRAMS = ("tcpcopy", "intercept")


def kept_alive(net, url, cpu):
    """50 connections that pause 5 ms on average between two requests"""
    return Wrk(net.clients[0], url, "kept", 10000, 50, cpu, think_ms=5)


def full_speed(net, url, cpu):
    """50 connections without pauses"""
    return Wrk(net.clients[0], url, "full", 20000, 50, cpu)


def short(net, url, cpu):
    """a connection for each request, 10 at once, full speed"""
    return Ab(net.clients[0], url, "short", 5000, 10, cpu)


LOADS = (kept_alive, full_speed, short)


def cpu_ns(pair):
    return [getattr(pair, program).cpu_ns() for program in PROGRAMS]


def measure(pair, online, target, load):
    """CPU microseconds a request of both programs for one load, or None when the target did not serve all of it."""
    before, served = cpu_ns(pair), target.count()
    began = online.count()
    running = load(pair.net, online.url, cpus()[0])
    running.finish(60)
    requests = online.count() - began
    if not until(lambda: target.count() - served >= requests, 5):
        return None
    return [(b - a) / 1e3 / requests for a, b in zip(before, cpu_ns(pair))]


def one_round(net, online, target, way, figures):
    """One run of the pair: all loads, then idle. Figures go to figures[what, way, program]."""
    pair = Pair(net, cpus()[1], tcpcopy=WAYS[way])
    pair.start()
    complete = True
    for load in LOADS:
        used = measure(pair, online, target, load)
        complete = complete and used is not None
        for program, value in zip(PROGRAMS, used or []):
            figures[load.__name__, way, program].append(value)
    before = cpu_ns(pair)
    time.sleep(IDLE_S)
    for program, a, b in zip(PROGRAMS, before, cpu_ns(pair)):
        figures["idle", way, program].append((b - a) / 1e6 / IDLE_S)
    pair.stop()
    return complete


def cell(values):
    return f"{statistics.median(values):6.2f} ({min(values):.2f}-{max(values):.2f})" if values else "not complete"


def report(figures):
    print("\nCPU ms for 1000 requests; idle: CPU ms a second. Median (least-most).\n")
    print("  " + f"{'load':<12}{'program':<12}" + "".join(f"{way:>24}" for way in WAYS) + f"{'raw/default':>14}")
    for what in [load.__name__ for load in LOADS] + ["idle"]:
        for program in PROGRAMS:
            sides = [figures[what, way, program] for way in WAYS]
            ratio = f"{statistics.median(sides[1]) / statistics.median(sides[0]):.2f}" if all(sides) else "-"
            print("  " + f"{what:<12}{program:<12}" + "".join(f"{cell(side):>24}" for side in sides) + f"{ratio:>14}")
    print()
    for load in LOADS:
        print(f"  {load.__name__:<12}{load.__doc__}")


def bench(rounds):
    figures, complete = collections.defaultdict(list), True
    with Lab() as lab:
        net = ThreeHosts(lab, clients=1)
        online, target = Nginx(net.online, 80, cpus()[0]), Nginx(net.target, 8080, cpus()[0])
        for i in range(rounds):
            for way in WAYS:
                print(f"round {i + 1} of {rounds}, {way}", file=sys.stderr)
                complete = one_round(net, online, target, way, figures) and complete
    report(figures)
    return 0 if complete else 1


def main():
    parser = argparse.ArgumentParser(prog="bench/run.py", description="CPU time of tcpcopy and intercept for 1000 copied requests")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds of all loads (default: 3)")
    args = parser.parse_args()
    require_root("The benchmark")
    exit_on_signals()
    try:
        return bench(args.rounds)
    except LabError as e:
        print(f"bench: {e}", file=sys.stderr)
        return 1


sys.exit(main())
