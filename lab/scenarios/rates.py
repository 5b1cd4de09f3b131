# SPDX-License-Identifier: BSD-2-Clause
"""rates.py - scenario 1: connections that are kept, at full speed and at a pace"""

from stage import scenario
from web import percentile

AT_ONCE = {1: 3000, 50: 6000, 500: 6000}    # {connections: requests of the short form}
MEDIAN, P99 = 0.002, 0.010                  # seconds that the copy is behind at most, up to BOUNDED turns a second
BOUNDED = 10000


def ms(seconds):
    return f"{seconds * 1000:.1f}"


@scenario(1)
def kept_connections_at_full_speed(s):
    s.begin_web()
    rates = [s.load_web(f"at{connections}", requests * s.scale, connections) for connections, requests in AT_ONCE.items()]
    lags = s.end_web(sum(AT_ONCE.values()) * s.scale)
    return f"{', '.join(f'{rate:.0f}' for rate in rates)}/s; {ms(percentile(lags, 50))} ms later in the median, p99 {ms(percentile(lags, 99))} ms"


def open_loop(s, rate):
    """200 connections of four client addresses."""
    sources = [s.client.ip6 if s.six else s.client.ip]
    for number in (31, 32, 33):
        sources.append(f"fd01::{number}" if s.six else f"10.1.0.{number}")
        s.client.address("eth0", sources[-1] + ("/64" if s.six else "/24"))
    s.begin({80: ({}, {})}, fast=True)
    with s.timed():
        said = s.load_at(rate, 0.5 * s.scale, connections=200, **{"from": ",".join(sources)})
        s.settle(turns=said["turns"])
    s.end()
    lags = s.lags()
    assert len(lags) == said["turns"], f"the online server has {len(lags)} of {said['turns']} turns"
    text = (f"{ms(percentile(lags, 50))} ms later in the median, p99 {ms(percentile(lags, 99))} ms; the load itself was late by "
            f"{ms(said['late_p99_us'] / 1e6)} ms (p99), tcpcopy, intercept and the target waited {s.waited:.2f} s for a CPU")
    if rate <= BOUNDED:
        assert percentile(lags, 50) < MEDIAN + s.slack and percentile(lags, 99) < P99 + s.slack, text
    return text


@scenario(1)
def open_loop_of_2000_a_second(s):
    return open_loop(s, 2000)


@scenario(1)
def open_loop_of_5000_a_second(s):
    return open_loop(s, 5000)


@scenario(1)
def open_loop_of_10000_a_second(s):
    return open_loop(s, 10000)


@scenario(1)
def open_loop_of_20000_a_second(s):
    return open_loop(s, 20000)
