# SPDX-License-Identifier: BSD-2-Clause
"""shorts.py - scenario 2: a connection for each request, from one client address: the same address and port come back within a second"""

from stage import scenario
from web import percentile

PORTS = "20000 24095"
AT_ONCE = {1: 800, 50: 3000, 500: 3000, 2000: 3000}     # {connections: requests of the short form}


def short_connections(s):
    s.client.sysctl(f"net.ipv4.ip_local_port_range={PORTS}")
    s.begin_web()
    rates = [s.load_web(f"at{connections}", requests * s.scale, connections, close=True) for connections, requests in AT_ONCE.items()]
    lags = s.end_web(sum(AT_ONCE.values()) * s.scale)
    return f"{', '.join(f'{rate:.0f}' for rate in rates)}/s; {percentile(lags, 50) * 1000:.0f} ms later in the median, p99 {percentile(lags, 99) * 1000:.0f} ms"


@scenario(2)
def a_connection_for_each_request(s):
    return short_connections(s)


@scenario(2)
def the_same_without_timestamps(s):
    s.client.sysctl("net.ipv4.tcp_timestamps=0")
    return short_connections(s)
