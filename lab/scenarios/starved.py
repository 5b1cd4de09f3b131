# SPDX-License-Identifier: BSD-2-Clause
"""starved.py - scenario 15: tcpcopy gets too little of a CPU to keep up"""

import contextlib
import signal
import threading
import time

from lab import until
from stage import scenario

RATE = 20000                    # turns a second, several times what it can copy in its part of the time
PERIOD, PART = 0.05, 0.002      # seconds, and those of a CPU that it gets in each


@contextlib.contextmanager
def starving(process):
    """Stop it whenever it has had its part, however busy the machine is besides."""
    done = threading.Event()

    def starve():
        while not done.is_set():
            ends, enough = time.monotonic() + PERIOD, process.cpu_ns() + PART * 1e9
            process.signal(signal.SIGCONT)
            while process.cpu_ns() < enough and not done.wait(0.001):
                pass
            process.signal(signal.SIGSTOP)
            done.wait(ends - time.monotonic())
        process.signal(signal.SIGCONT)
    thread = threading.Thread(target=starve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@scenario(15)
def starved_of_cpu(s):
    """Whole sessions are shed, the rest is complete; the kernel drops nothing, or what it drops is counted."""
    s.begin({80: ({}, {})}, "-O", "-B", "64", fast=True)  # those that come back are not joined in their middle
    with starving(s.pair.tcpcopy):
        for _ in range(2 + s.scale):
            s.load_at(RATE, 1, connections=200)
    until(lambda: s.target.count() >= s.online.count(), 3, pause=0.1)
    summary = s.end_with_losses()
    ended, limits = summary["sessions"]["ended"], summary["limits"]
    assert limits["reductions"] > 0 and limits["not_in_kernel"] == 0, summary
    assert ended.get("shed", 0) > 0, summary
    assert "whole sessions are shed" in s.pair.tcpcopy.errors()
    # the kernel and the core mean the same clients: of those that are kept nothing is filtered
    assert summary["capture"]["kernel_drops"] > 0 or "hole" not in ended, summary
    here, there = s.online.whole(), s.target.whole(8000)
    assert (here & there).total() >= ended.get("closed", 0), summary
    if not s.slack:  # other work on the machine may starve it beyond all measure
        assert ended.get("closed", 0) > 0 and summary["capture"]["kernel_drops"] <= summary["capture"]["frames"] / 20, summary
    return (f"{(here & there).total()} of {here.total()} sessions complete, {ended['shed']} shed; at the least {limits['kept_percent_least']:.1f} % of "
            f"the clients were kept; the kernel dropped {summary['capture']['kernel_drops']}")
