# SPDX-License-Identifier: BSD-2-Clause
"""web.py - nginx, HTTP loads, and the comparison of two access logs request for request

A copied request is known in the target's log by what it shares with the original in the online server's log: the client's address
and port, its number on the connection, its length and its request line. Nothing that tcpcopy says of itself is needed.
"""

import collections
import json
import os
import signal

from lab import LabError, until

HERE = os.path.dirname(os.path.abspath(__file__))
# Work in milliseconds that a page costs; with nginx's echo module. Without it every page is served at once.
PAGES = (1, 5, 20)
BIG_BYTES = 4 << 20     # of the page /big
ECHO = "modules/ngx_http_echo_module.so"

CONFIG = """
{modules}
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
worker_rlimit_nofile 65536;
events {{ worker_connections 16384; }}
http {{
    log_format lab '$msec $remote_addr:$remote_port $connection_requests $request_time $status $request_length '
                   '$request_body_file "$request"';
    access_log {folder}/access.log lab;
    keepalive_requests {keepalive};
    client_body_temp_path {folder}/bodies;
    client_max_body_size 0;
    default_type text/plain;
    server {{
        listen {ip}:{port} backlog=4096;
        listen [{ip6}]:{port} backlog=4096;
        location / {{ return 200 "hello\\n"; }}
        location = /big {{ alias {folder}/big; }}
        {locations}
    }}
}}
"""

Request = collections.namedtuple("Request", "client number length line")
Served = collections.namedtuple("Served", "at time status body")


def echo_module():
    for folder in ("/usr/lib/nginx", "/usr/lib64/nginx", "/usr/share/nginx"):
        path = os.path.join(folder, ECHO)
        if os.path.exists(path):
            return path
    return None


class Nginx:
    """nginx on a host, one process, with an access log for comparing.

    @keep_bodies: what is sent to /upload stays in a file, whose name is in the log
    @keepalive:   it closes a connection after so many requests
    """

    def __init__(self, host, port, cpu, keep_bodies=False, keepalive=1000000):
        self.url, self.url6 = f"http://{host.ip}:{port}", f"http://[{host.ip6}]:{port}"
        self.folder = os.path.join(host.lab.folder, f"nginx-{host.name}")
        self.log = os.path.join(self.folder, "access.log")
        os.mkdir(self.folder)
        echo, locations = echo_module(), ""
        if echo:
            locations = "".join(f'location /sleep/{ms} {{ echo_sleep {ms / 1000}; echo done; }}\n' for ms in PAGES)
            kept = "client_body_in_file_only on; " if keep_bodies else ""
            locations += f'location /upload {{ {kept}echo_read_request_body; echo stored; }}\n'
        with open(os.path.join(self.folder, "big"), "wb") as f:
            f.truncate(BIG_BYTES)
        config = os.path.join(self.folder, "nginx.conf")
        with open(config, "w", encoding="ascii") as f:
            f.write(CONFIG.format(modules=f"load_module {echo};" if echo else "", folder=self.folder, ip=host.ip, ip6=host.ip6, port=port,
                                  locations=locations, keepalive=keepalive))
        self.process = host.start(f"nginx-{host.name}", "nginx", "-e", "stderr", "-p", self.folder, "-c", config, cpu=cpu)
        if not until(lambda: os.path.exists(os.path.join(self.folder, "pid")) or not self.process.alive(), 10) \
                or not self.process.alive():
            raise LabError(f"nginx does not start on {host.name}\n{self.process.errors()}")
        self._counted, self._offset = 0, 0

    def count(self):
        """Requests in the log until now."""
        with open(self.log, "rb") as f:
            f.seek(self._offset)
            new = f.read()
        self._offset += len(new)
        self._counted += new.count(b"\n")
        return self._counted

    def requests(self):
        """{Request: [Served, ...]}, in the order of the log; more than one where a client used a port again."""
        served = collections.defaultdict(list)
        with open(self.log, encoding="utf-8", errors="surrogateescape") as f:
            for row in f:
                at, client, number, time, status, length, body, line = row.rstrip("\n").split(" ", 7)
                request = Request(client, int(number), int(length), line.strip('"'))
                served[request].append(Served(float(at), float(time), int(status), body))
        return served


class Comparison:
    """What two servers served: .missing at the target and .extra there, [(Request, how many)]; .lags in seconds."""

    def __init__(self, online, target):
        here, there = online.requests(), target.requests()
        self.online = [s for served in here.values() for s in served]
        self.target = [s for served in there.values() for s in served]
        self.missing, self.extra, self.lags, self.pairs = [], [], [], []
        for request in here.keys() | there.keys():
            a, b = here.get(request, []), there.get(request, [])
            if len(a) > len(b):
                self.missing.append((request, len(a) - len(b)))
            elif len(b) > len(a):
                self.extra.append((request, len(b) - len(a)))
            else:
                self.pairs += zip(a, b)
        self.lags = [b.at - a.at for a, b in self.pairs]

    def differences(self, most=10):
        """Both in words, the first few; empty when the logs are equal."""
        rows = [f"{word}: {n} x {r.line} of {r.client}, number {r.number} of its connection, {r.length} bytes"
                for word, side in (("missing", self.missing), ("only at the target", self.extra)) for r, n in side]
        return rows[:most] + ([f"... {len(rows)} in all"] if len(rows) > most else [])

    def missing_count(self):
        return sum(n for _, n in self.missing)

    def extra_count(self):
        return sum(n for _, n in self.extra)


def percentile(values, percent):
    """Nearest rank; None of nothing."""
    ranked = sorted(values)
    return ranked[max(0, -(-len(ranked) * percent // 100) - 1)] if ranked else None


class Wrk:
    """A numbered load: total requests over some connections, answered in full before it ends."""

    def __init__(self, client, url, name, total, connections, cpu, think_ms=0, close=False, paths=(("/", 1),)):
        self.total = total
        self.process = client.start(
            f"wrk-{name}", "wrk", "-t1", f"-c{connections}", "-d600s", "--timeout", "30s", "-s", os.path.join(HERE, "load.lua"), url,
            "--", name, str(total), str(think_ms), str(int(close)), ",".join(f"{path}={weight}" for path, weight in paths), cpu=cpu)

    def answered(self):
        return "answered\n" in self.process.output() or not self.process.alive()

    def finish(self, seconds):
        """Wait for all responses; return {requests, errors, p50_us, p99_us}. Errors are as the clients saw them."""
        if not until(self.answered, seconds):
            raise LabError(f"{self.process.name}: not all of {self.total} requests were answered within {seconds} s")
        self.process.signal(signal.SIGINT)
        self.process.wait(10)
        rows = [row for row in self.process.output().splitlines() if row.startswith("{")]
        if not rows:
            raise LabError(f"{self.process.name} failed\n{self.process.output()}{self.process.errors()}")
        return json.loads(rows[-1])


class Ab:
    """A load of one path: short connections, or kept-alive ones."""

    def __init__(self, client, url, name, total, connections, cpu, keep_alive=False, path="/"):
        self.total = total
        self.process = client.start(f"ab-{name}", "ab", "-q", "-l", "-s", "30", "-r", "-n", str(total), "-c", str(connections),
                                    *(["-k"] if keep_alive else []), f"{url}{path}?from={name}", cpu=cpu)

    def answered(self):
        return not self.process.alive()

    def finish(self, seconds):
        """Wait for its end; return {requests, errors}."""
        self.process.wait(seconds)
        rows = dict(row.split(":", 1) for row in self.process.output().splitlines() if ":" in row)
        if "Complete requests" not in rows:
            raise LabError(f"{self.process.name} failed\n{self.process.errors()}")
        number = lambda key: int(rows.get(key, "0").split()[0])
        complete = number("Complete requests")
        return {"requests": complete, "errors": number("Failed requests") + number("Non-2xx responses") + self.total - complete}
