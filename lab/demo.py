#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-2-Clause
"""demo.py [--keep] - copy live traffic from one nginx to another, and compare what the two served; what `make demo` runs

Everything happens in network namespaces of its own and is gone afterwards; --keep leaves the logs of all programs. Exit status: 0 when the target served every request
that the online server served; 1 when requests are missing, or a step failed; 4 without the rights for namespaces.
"""

import sys
import time

from lab import Lab, LabError, ThreeHosts, cpus, exit_on_signals, require_root, until
from pair import Pair
from web import Ab, Comparison, Nginx, Wrk, percentile

PICTURE = """\
  client1 client2 client3 client4          online        target       assistant
     |       |       |       |          nginx :80      nginx :8080    intercept
     |       |       |       |          tcpcopy            |              |
     +-------+-------+-------+--- router ---+--------------+--------------+

  Clients talk to online. tcpcopy, on online, reads what arrives there and plays each client
  again towards target. target's route to the clients leads to assistant, so that its answers
  reach intercept instead of clients.
"""

KEPT_ALIVE = 18000      # requests of each of three clients, on 20 connections
SHORT = 12000           # requests of the fourth client, a connection each, eight at once
SHORT_PAGE = "/sleep/5"
SHORT_PORTS = "20000 22047"
THINK_MS = 10           # mean pause of a connection before its next request
PAGES = (("/", 10), ("/sleep/1", 4), ("/sleep/5", 3), ("/sleep/20", 1), ("/upload", 2))
PATIENCE = 60           # seconds for a load of about twenty
SETTLE = 5              # seconds that the copy gets to catch up at the end


class Progress:
    """One line that is kept up to date on a terminal; a line every few seconds elsewhere."""

    def __init__(self, online, target):
        self.online, self.target = online, target
        self.began = self.shown = time.monotonic()
        self.live = sys.stdout.isatty()

    def show(self, end=False):
        now = time.monotonic()
        if not end and now - self.shown < (0.5 if self.live else 5):
            return
        self.shown = now
        there, here = self.target.count(), self.online.count()  # the copy first: it must not seem to be ahead
        text = f"  {now - self.began:3.0f} s   online served {here:7,}   target served {there:7,}   behind {here - there:5,}"
        print(("\r" if self.live else "") + text, end="" if self.live and not end else "\n", flush=True)


def run_load(net, online, progress, cpu):
    """Three clients with kept-alive connections; a fourth that opens a connection for each request."""
    loads = [Wrk(client, online.url, client.name, KEPT_ALIVE, 20, cpu, think_ms=THINK_MS, paths=PAGES) for client in net.clients[:3]]
    loads.append(Ab(net.clients[3], online.url, "short", SHORT, 8, cpu, path=SHORT_PAGE))
    began = time.monotonic()
    while not all(load.answered() for load in loads):
        if time.monotonic() - began > PATIENCE:
            raise LabError(f"the load has not ended after {PATIENCE} s")
        progress.show()
        time.sleep(0.1)
    return [load.finish(1) for load in loads]


def settle(online, target, progress):
    """Let the target finish: until it has served as much, or nothing more comes."""
    last, since = target.count(), time.monotonic()
    while target.count() < online.count() and time.monotonic() - since < SETTLE:
        if target.count() != last:
            last, since = target.count(), time.monotonic()
        progress.show()
        time.sleep(0.05)
    progress.show(end=True)


def ms(seconds):
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


def row(label, *cells):
    print(f"  {label:<46}" + "".join(f"{cell:>15}" for cell in cells))


def report_servers(comparison):
    print("\nFrom the access logs of the two servers:")
    row("", "online", "target")
    row("requests served", f"{len(comparison.online):,}", f"{len(comparison.target):,}")
    for percent, name in ((50, "median"), (99, "99th percentile")):
        row(f"time to serve a request, {name}", *(ms(percentile([s.time for s in side], percent))
                                                 for side in (comparison.online, comparison.target)))
    row("missing at the target", "", f"{comparison.missing_count():,}")
    row("at the target only", "", f"{comparison.extra_count():,}")
    row("behind the online server, median", "", ms(percentile(comparison.lags, 50)))
    row("behind the online server, 99th percentile", "", ms(percentile(comparison.lags, 99)))
    for request, count in comparison.missing[:5]:
        print(f"  missing: {request.line} of {request.client}" + (f", {count} times" if count > 1 else ""))


def report_copy(pair, requests):
    summary = pair.summary()
    size, sessions, turns = summary["bytes"], summary["sessions"], summary["turns"]
    print("\nFrom tcpcopy's summary:")
    row("client bytes acknowledged by the target", f"{summary['fidelity_percent']:.2f} %" if size["to_copy"] else "none to copy")
    row("connections copied completely", f"{sessions['complete']:,}", f"of {sessions['opened']:,}")
    for reason, count in size["lost"].items():
        row(f"bytes lost: {reason}", f"{count:,}", f"{sessions['ended'].get(reason, 0):,} conns")
    row("lag of what it said: median, 99th percentile", *(f"< {turns[k] / 1000:.1f} ms" for k in ("lag_median_us", "lag_p99_us")))
    row("the books", "balance" if summary["balance"] is True else f"DO NOT BALANCE: {summary['balance']}")
    for hint in pair.hints():
        print(f"  {hint}")
    for process in (pair.tcpcopy, pair.intercept):
        row(f"CPU time of {process.name}", f"{process.cpu_s:.2f} s", f"{process.cpu_s / requests * 1e6:.0f} us/request")


def demo(lab):
    servers_cpu, tools_cpu = cpus()
    print(PICTURE)
    net = ThreeHosts(lab, clients=4)
    # A small range: the same address and port come back within seconds, as they do behind a busy proxy.
    net.clients[3].sysctl(f"net.ipv4.ip_local_port_range={SHORT_PORTS}")
    online, target = Nginx(net.online, 80, servers_cpu), Nginx(net.target, 8080, servers_cpu)
    pair = Pair(net, tools_cpu)
    print(f"  assistant$ {pair.intercept_command}\n  online$ {pair.tcpcopy_command}\n")
    pair.start()

    print(f"Load: {3 * KEPT_ALIVE:,} requests on kept-alive connections of three clients, {SHORT:,} on short ones of a fourth.")
    progress = Progress(online, target)
    results = run_load(net, online, progress, servers_cpu)
    settle(online, target, progress)
    pair.stop()

    comparison = Comparison(online, target)
    report_servers(comparison)
    report_copy(pair, len(comparison.online))
    errors = sum(result["errors"] for result in results)
    missing = comparison.missing_count()
    print(f"\nThe clients saw {errors or 'no'} errors. " + (
        f"{missing:,} of {len(comparison.online):,} requests are missing at the target." if missing else
        f"The target served every one of the {len(comparison.online):,} requests."))
    lab.keep = lab.keep or bool(missing or errors)
    return 1 if missing or errors else 0


def main():
    if sys.argv[1:] not in ([], ["--keep"]):
        sys.exit("usage: demo.py [--keep]")
    require_root("The demo")
    exit_on_signals()
    with Lab() as lab:
        lab.keep = "--keep" in sys.argv
        try:
            return demo(lab)
        except LabError as e:
            print(f"\ndemo: {e}", file=sys.stderr)
            lab.keep = True
            return 1
        except KeyboardInterrupt:
            print("\nStopped.", file=sys.stderr)
            return 130


sys.exit(main())
