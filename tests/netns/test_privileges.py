# SPDX-License-Identifier: BSD-2-Clause
"""test_privileges.py - what the programs may do once they have started, and that it is enough

The capabilities, new privileges and system calls of a process are what /proc/PID/status says. Whether they are enough is tried with all
that needs some: each way to capture and to send, devices that come back, neighbours that change, intercepts and log files that are
opened again; as root, as another user with file capabilities, and with what the systemd units give.
"""

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys

import pytest

SOURCE = os.environ.get("TCPCOPY_SOURCE") or os.path.join(os.path.dirname(__file__), "..", "..")
sys.path.insert(0, os.path.join(SOURCE, "lab"))

from echo import Echo  # pylint: disable=wrong-import-position
from lab import Lab, ThreeHosts, Watch, cpus, until  # pylint: disable=wrong-import-position
from pair import PORT, listens, program  # pylint: disable=wrong-import-position

TOOLS_CPU = cpus()[1]
NOBODY = pwd.getpwnam("nobody")
CAPS = {"net_bind_service": 10, "net_admin": 12, "net_raw": 13}
SECCOMP_FILTER = "2"


def caps(*names):
    return {CAPS[name] for name in names}


def built_with(library):
    """Are the programs linked with it? Without it the test has nothing to see."""
    return library in subprocess.run(["ldd", program("intercept")], stdout=subprocess.PIPE, text=True, check=False).stdout


pytestmark = pytest.mark.skipif(not (built_with("libcap-ng") and built_with("libseccomp")),
                                reason="the programs are built without libcap-ng or libseccomp")


class Stage:
    def __init__(self, lab):
        self.lab, self.net, self.said = lab, ThreeHosts(lab, 1), 0
        self.online, self.target = Echo(self.net.online, 80), Echo(self.net.target, 8080)

    def close(self):
        for server in (self.online, self.target):
            server.close()

    def path(self, name):
        return os.path.join(self.lab.folder, name)

    def own(self, name, *capabilities):
        """A copy of a program that another user may run, with these as file capabilities."""
        folder = self.path("bin")
        os.makedirs(folder, exist_ok=True)
        os.chmod(self.lab.folder, 0o755)
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            shutil.copy(program(name), path)
        if capabilities:
            self.lab.sh("setcap", ",".join("cap_" + c for c in capabilities) + "=ep", path)
        return path

    def as_nobody(self, name, *capabilities):
        """A command that runs a program as nobody, its file having these capabilities."""
        return ["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups", self.own(name, *capabilities)]

    def intercept(self, *args, command=None):
        process = self.net.assistant.start("intercept", *(command or [program("intercept")]), *args, cpu=TOOLS_CPU)
        assert until(lambda: not process.alive() or listens(process, PORT), 5) and process.alive(), process.errors()
        assert until(lambda: "listening" in process.errors() or "-l" in args, 5)
        return process

    def tcpcopy(self, *args, command=None, maps="80-{ip}:8080"):
        process = self.net.online.start("tcpcopy", *(command or [program("tcpcopy")]), "-x", maps.format(ip=self.net.target.ip), "-s",
                                        self.net.assistant.ip, *args, cpu=TOOLS_CPU)
        assert until(lambda: not process.alive() or "connected to " in process.errors(), 5) and process.alive(), process.errors()
        return process

    def is_copied(self, seconds=5):
        """A client says something new: does the target hear it, too?"""
        self.said += 1
        line = b"line %d" % self.said
        with self.net.clients[0].socket() as s:
            s.settimeout(5)
            s.connect((self.net.online.ip, 80))
            s.sendall(line)
            assert s.recv(100) == line
            copied = until(lambda: line in self.target.heard, seconds)
        return bool(copied)


@contextlib.contextmanager
def stage():
    with Lab(print) as lab:
        s = Stage(lab)
        yield s
        s.close()


def status(pid, task=None):
    with open(f"/proc/{pid}/task/{task or pid}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def of_set(text):
    return {i for i in range(64) if int(text, 16) >> i & 1}


def assert_kept(process, kept, bounding=True):
    """Of all threads: these capabilities and no others, no way to get any, and a filter of system calls."""
    def settled():
        return status(process.pid).get("Seccomp") == SECCOMP_FILTER
    assert until(settled, 5), "no filter of system calls"
    for task in os.listdir(f"/proc/{process.pid}/task"):
        s = status(process.pid, task)
        assert (of_set(s["CapPrm"]), of_set(s["CapEff"]), of_set(s["CapInh"]), of_set(s["CapAmb"])) == (kept, kept, set(), set())
        if bounding:
            assert of_set(s["CapBnd"]) == kept
        assert (s["NoNewPrivs"], s["Seccomp"]) == ("1", SECCOMP_FILTER)


def mac_of(host, device="eth0"):
    return re.search(r"link/ether (\S+)", host.run("ip", "link", "show", device))[1]


def test_intercept_keeps_no_capability_and_tells_answers_all_the_same():
    with stage() as s:
        intercept = s.intercept("-i", "eth0")
        assert_kept(intercept, caps())
        tcpcopy = s.tcpcopy()
        assert s.is_copied()
        assert tcpcopy.stop() == 0 and intercept.stop() == 0


WAYS = [
    ("asks for neighbours", [], "80-{ip}:8080", ["net_admin"]),
    ("is told the next hop", [], "80-{ip}:8080@{mac}", []),
    ("sends through raw sockets", ["--deliver", "raw", "--allow-conntrack"], "80-{ip}:8080", []),
    ("captures and sends through raw sockets", ["--capture", "raw", "--deliver", "raw", "--allow-conntrack"], "80-{ip}:8080", []),
    ("captures at a device and sends there", ["-i", "eth0", "-o", "eth0", "--promiscuous"], "80-{ip}:8080", ["net_admin"]),
]


def test_each_way_keeps_what_it_needs_and_copies():
    with stage() as s:
        s.intercept("-i", "eth0")
        for name, args, maps, kept in WAYS:
            tcpcopy = s.tcpcopy(*args, maps=maps.format(ip="{ip}", mac=mac_of(s.net.target)))
            assert_kept(tcpcopy, caps(*kept))
            assert s.is_copied(), name
            assert tcpcopy.stop() == 0, name


def test_each_way_works_for_another_user_with_file_capabilities():
    with stage() as s:
        intercept = s.intercept("-i", "eth0", command=s.as_nobody("intercept", "net_raw"))
        assert_kept(intercept, caps(), bounding=False)
        assert status(intercept.pid)["Uid"].split() == [str(NOBODY.pw_uid)] * 4
        for name, args, maps, kept in WAYS:
            command = s.as_nobody("tcpcopy", "net_raw", "net_admin")
            tcpcopy = s.tcpcopy(*args, command=command, maps=maps.format(ip="{ip}", mac=mac_of(s.net.target)))
            assert_kept(tcpcopy, caps(*kept), bounding=False)
            assert s.is_copied(), name
            assert tcpcopy.stop() == 0, name


def unit_of(name):
    with open(os.path.join(SOURCE, "packaging", f"{name}.service.in"), encoding="ascii") as f:
        return dict(line.rstrip("\n").split("=", 1) for line in f if re.match(r"[A-Z]\w+=", line))


def as_unit(s, name, without=None):
    """A command with the user and capabilities that the unit gives, but for one."""
    unit = unit_of(name)
    assert unit["AmbientCapabilities"] == unit["CapabilityBoundingSet"] and unit["NoNewPrivileges"] == "yes" and unit["DynamicUser"] == "yes"
    given = [c.lower().removeprefix("cap_") for c in unit["AmbientCapabilities"].split() if c.lower() != without]
    own = s.own(name)
    listed = ",".join(["-all"] + [f"+{c}" for c in given])
    return ["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups", f"--inh-caps={listed}", f"--ambient-caps={listed}",
            f"--bounding-set={listed}", "--no-new-privs", own]


def test_the_capabilities_of_the_units_are_enough():
    with stage() as s:
        intercept = s.intercept("-i", "eth0", command=as_unit(s, "intercept"))
        assert_kept(intercept, caps(), bounding=False)
        tcpcopy = s.tcpcopy(command=as_unit(s, "tcpcopy"))
        assert_kept(tcpcopy, caps("net_admin"), bounding=False)
        assert s.is_copied()
        assert tcpcopy.stop() == 0 and intercept.stop() == 0


@pytest.mark.parametrize("name, missing", [("intercept", "cap_net_raw"), ("tcpcopy", "cap_net_raw"), ("tcpcopy", "cap_net_admin")])
def test_without_one_of_the_capabilities_of_its_unit_a_program_says_what_is_missing_and_ends(name, missing):
    with stage() as s:
        args = ["-i", "eth0"] if name == "intercept" else ["-x", f"80-{s.net.target.ip}:8080", "-s", s.net.assistant.ip]
        process = s.net.online.start(name, *as_unit(s, name, without=missing), *args, cpu=TOOLS_CPU)
        assert process.wait(5) == 4, process.errors()
        assert missing in process.errors().lower() and "setcap cap_net_raw" in process.errors()


def test_a_neighbour_that_changes_is_found():
    with stage() as s:
        s.intercept("-i", "eth0")
        s.tcpcopy()
        assert s.is_copied()
        s.net.target.link("set", "eth0", "address", "02:00:00:00:77:77")
        s.net.online.run("ip", "neigh", "flush", "all")
        assert until(lambda: s.is_copied(1), 20)
        assert "77:77" in s.net.online.run("ip", "neigh", "show", s.net.target.ip)


def anew(s, host, bridge, address):
    """Take the host's device away, and give it another one of the same name."""
    host.link("delete", "eth0")
    s.lab.join(host, s.net.router, bridge, address)


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_devices_that_are_made_anew_are_captured_and_sent_through_again(user):
    with stage() as s:
        commands = {"intercept": None, "tcpcopy": None}
        if user == "nobody":
            commands = {"intercept": s.as_nobody("intercept", "net_raw"), "tcpcopy": s.as_nobody("tcpcopy", "net_raw", "net_admin")}
        intercept = s.intercept("-i", "eth0", command=commands["intercept"])
        tcpcopy = s.tcpcopy("-i", "eth0", "-o", "eth0", command=commands["tcpcopy"])
        assert s.is_copied()

        anew(s, s.net.assistant, "servers", "10.2.0.4/24")
        assert until(lambda: s.is_copied(1), 20), intercept.errors()
        anew(s, s.net.online, "servers", "10.2.0.2/24")
        s.net.online.route("default", "10.2.0.1")
        assert until(lambda: s.is_copied(1), 20), tcpcopy.errors()
        assert tcpcopy.stop() == 0 and intercept.stop() == 0


def test_an_intercept_that_was_started_again_is_connected_to_again():
    with stage() as s:
        intercept = s.intercept("-i", "eth0")
        tcpcopy = s.tcpcopy()
        assert s.is_copied()
        assert intercept.stop() == 0
        intercept = s.intercept("-i", "eth0")
        assert until(lambda: "a tcpcopy has come" in intercept.errors(), 5), tcpcopy.errors()
        assert s.is_copied()


def test_log_files_are_opened_again_and_pid_files_removed():
    with stage() as s:
        logs = {name: s.path(f"{name}.log") for name in ("intercept", "tcpcopy")}
        pids = {name: s.path(f"{name}.pid") for name in logs}
        processes = {"intercept": s.intercept("-i", "eth0", "-l", logs["intercept"], "-P", pids["intercept"])}
        command = ["-x", f"80-{s.net.target.ip}:8080", "-s", s.net.assistant.ip, "-l", logs["tcpcopy"], "-P", pids["tcpcopy"]]
        processes["tcpcopy"] = s.net.online.start("tcpcopy", program("tcpcopy"), *command, cpu=TOOLS_CPU)
        for name, process in processes.items():
            assert until(lambda p=pids[name]: os.path.exists(p) and os.path.getsize(p) > 0, 5)
            assert_kept(process, caps(*(["net_admin"] if name == "tcpcopy" else [])))
            os.rename(logs[name], logs[name] + ".1")
            process.signal(signal.SIGHUP)
            assert until(lambda f=logs[name]: os.path.exists(f), 5), name
        for name in ("tcpcopy", "intercept"):
            assert processes[name].stop() == 0
            assert os.path.getsize(logs[name]) > 0, name
            assert not os.path.exists(pids[name]), name


def test_a_log_file_that_root_could_open_once_only_is_warned_of_and_kept():
    with stage() as s:
        folder = s.path("theirs")
        os.mkdir(folder, 0o755)
        os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
        log = os.path.join(folder, "log")
        intercept = s.intercept("-i", "eth0", "-l", log)

        def logged():
            with open(log, encoding="ascii") as f:
                return f.read()
        assert until(lambda: "SIGHUP will not open" in logged(), 5)
        os.rename(log, log + ".1")
        intercept.signal(signal.SIGHUP)
        log += ".1"
        assert until(lambda: "cannot write the log file" in logged(), 5)
        assert intercept.stop() == 0
        assert not os.path.exists(os.path.join(folder, "log"))


def test_files_of_others_are_replayed_by_threads_that_have_no_more_rights():
    with stage() as s:
        s.intercept("-i", "eth0")
        watch = Watch(s.net.online, "eth0", s.net.online.ip)
        assert not s.is_copied(0.2)
        watch.frames()
        watch.close()
        path = s.path("watch-online.pcap")
        folder = s.path("private")
        os.mkdir(folder)
        shutil.move(path, folder)
        path = os.path.join(folder, os.path.basename(path))
        for file in (path, folder):
            os.chown(file, NOBODY.pw_uid, NOBODY.pw_gid)
            os.chmod(file, 0o700)
        # all are open from the start, so that each pass needs no right to open them, which is given up
        tcpcopy = s.tcpcopy("-i", f"{path},{path}", "-T", "2", "--json")
        assert_kept(tcpcopy, caps("net_admin"))
        assert tcpcopy.wait(15) == 0, tcpcopy.errors()
        assert s.target.heard.count(b"line 1") == 2, tcpcopy.errors()
        capture = json.loads(tcpcopy.output())["capture"]
        assert (capture["frames"] % 4, capture["kernel_drops"]) == (0, 0)
