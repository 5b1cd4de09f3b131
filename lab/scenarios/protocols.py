# SPDX-License-Identifier: BSD-2-Clause
"""protocols.py - scenario 4: redis, pushes, and answers that are not the online server's"""

import os
import time

import websocket
from lab import until
from load import Session
from stage import SERVERS_CPU, SETTLE, need, scenario
from web import percentile


class Redis:
    def __init__(self, host, port):
        self.host, self.path = host, os.path.join(host.lab.folder, f"redis-{host.name}.sock")
        self.process = host.start(f"redis-{host.name}", "redis-server", "--port", str(port), "--bind", host.ip, host.ip6,
                                  "--unixsocket", self.path, "--save", "", "--protected-mode", "no", "--enable-debug-command", "yes",
                                  cpu=SERVERS_CPU)
        assert until(lambda: os.path.exists(self.path), 10), self.process.output()

    def cli(self, *command):
        """By the socket in the file system: nothing of it is copied."""
        return self.host.run("redis-cli", "-s", self.path, *command)

    def monitor(self):
        """From now on it writes down when it got which command, by the clock that both hosts share."""
        self.watch = self.host.start(f"monitor-{self.host.name}", "redis-cli", "-s", self.path, "monitor", cpu=SERVERS_CPU)
        assert until(lambda: "OK" in self.watch.output(), 10), self.watch.errors()

    def heard(self, command):
        """Seconds of each such command, those of a client after each other"""
        rows = [line.split() for line in self.watch.output().splitlines() if line.upper().endswith(f'"{command}"')]
        return sorted((row[2], float(row[0])) for row in rows)

    def calls(self):
        """{command: how often}, without what the lab itself asks and says"""
        rows = [row.split(":") for row in self.cli("info", "commandstats").splitlines() if row.startswith("cmdstat_")]
        calls = {name: int(values.split(",")[0].split("=")[1]) for name, values in rows}
        return {name: count for name, count in calls.items() if name not in ("cmdstat_info", "cmdstat_debug", "cmdstat_publish")}


def begin_redis(s):
    need("redis-server", "redis-server")
    need("redis-benchmark", "redis-tools")
    servers = Redis(s.online_host, 80), Redis(s.target_host, 8080)
    s.copy([80])
    return servers


def end_redis(s, online, target):
    until(lambda: target.calls() == online.calls(), SETTLE, pause=0.2)
    summary = s.end_copy()
    assert target.calls() == online.calls(), summary
    assert target.cli("debug", "digest") == online.cli("debug", "digest")
    assert summary["fidelity_percent"] == 100, summary


@scenario(4)
def redis_alone_and_in_pipelines_of_16(s):
    online, target = begin_redis(s)
    for pipeline in (1, 16):
        s.client.run("redis-benchmark", "-h", s.address, "-p", "80", "-q", "-c", "20", "-n", str(1600 * s.scale), "-r", "100",
                     "-P", str(pipeline), "-t", "get,set,incr,lpush")
    assert online.calls()["cmdstat_lpush"] == 3200 * s.scale
    end_redis(s, online, target)


@scenario(4)
def redis_pushes_that_only_the_online_server_sends(s):
    online, target = begin_redis(s)
    sessions = [Session(s.client, s.address, 80) for _ in range(3)]
    for session in sessions:
        session.sock.sendall(b"SUBSCRIBE news\r\n")
        session.hear(len(b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"))
    for server in (online, target):
        server.monitor()
    for i in range(10 * s.scale):
        online.cli("publish", "news", "x" * 1000)
        for session in sessions:
            session.hear(len(b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1000\r\n") + 1002)
            if i % 2:
                session.sock.sendall(b"PING\r\n")
                session.hear(len(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"))
        time.sleep(0.1)
    for session in sessions:
        session.sock.sendall(b"UNSUBSCRIBE\r\n")
        session.hear(len(b"*3\r\n$11\r\nunsubscribe\r\n$4\r\nnews\r\n:0\r\n"))
        session.close()
    assert online.calls()["cmdstat_ping"] == 3 * 5 * s.scale
    end_redis(s, online, target)
    here, there = online.heard("PING"), target.heard("PING")
    assert [client for client, _ in here] == [client for client, _ in there]
    lags = sorted(later - at for (_, at), (_, later) in zip(here, there))
    text = f"{percentile(lags, 50) * 1000:.1f} ms later in the median, p99 {percentile(lags, 99) * 1000:.1f} ms"
    assert len(lags) == 15 * s.scale and percentile(lags, 99) < 0.1 + s.slack, text
    return text


@scenario(4)
def websocket_pushes_that_only_the_online_server_sends(s):
    """A push of 1 KB every 30 ms; the clients say something five times a second, open loop."""
    s.begin({80: ({"websocket": 30}, {"websocket": 0})})
    with s.timed():
        clients = [websocket.Client(Session(s.client, s.address, 80).sock, 10 * s.scale, 0.2) for _ in range(10)]
        for client in clients:
            client.join(30)
            assert client.error is None, client.error
        s.settle()
    s.end()
    assert sum(client.heard for client in clients) > 200 * s.scale, "hardly anything was pushed: this proves nothing"
    lags = s.lags()
    assert len(lags) == 100 * s.scale
    text = f"{percentile(lags, 50) * 1000:.1f} ms later in the median, p99 {percentile(lags, 99) * 1000:.1f} ms"
    assert percentile(lags, 99) < 0.1 + s.slack, text
    return text


@scenario(4)
def answers_of_the_target_that_differ(s):
    """Open loop: 99 of 100 turns are at the target within 100 ms. A copy with equal answers tells what a busy machine adds."""
    manners = [{}, {"add": -20}, {"add": 20}, {"factor": 0.5}, {"factor": 2}, {"chunk_ms": 30}]
    ports = {80 + i: ({}, manner) for i, manner in enumerate(manners)}
    s.begin(ports)
    with s.timed():
        loads = [s.load(port, connections=4, turns=10 * s.scale, answer=3000, period=0.2) for port in ports]
        for load in loads:
            load.finish()
        s.settle()
    lags = {port: s.lags(port) for port in ports}
    s.end()
    equal, *differing = ([lag * 1000 for lag in lags[port]] for port in ports)
    slack = s.slack * 1000
    text = f"99 of 100 within {percentile(sum(differing, []), 99):.0f} ms, with equal answers {percentile(equal, 99):.0f} ms; half of them within " \
        + ", ".join(f"{percentile(each, 50):.0f} ms ({manner})" for manner, each in zip(manners[1:], differing))
    assert percentile(sum(differing, []), 99) < 100 + slack + percentile(equal, 99), text
    assert all(percentile(each, 50) < 50 + slack for each in differing), text
    return text
