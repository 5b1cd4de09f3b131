#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""tcpcopy.py - command lines of tcpcopy: what they print, and the status they end with

The program is that of TCPCOPY_BUILD. Nothing is captured or sent: each row ends before that, by an error, by --dry-run or by a missing
privilege, which is taken away where it is there.
"""

import ctypes
import os
import re
import stat
import subprocess
import tempfile
import unittest

PROGRAM = os.path.join(os.environ["TCPCOPY_BUILD"], "tcpcopy")
PR_CAPBSET_DROP, CAP_NET_RAW = 24, 13
OK, FAILED, USAGE, PRIVILEGE = 0, 1, 2, 4

# (arguments, what stderr says)
WRONG = [
    ("", "tcpcopy: what is to be copied to where? As in 'tcpcopy -x 80-10.0.0.3:8080 -s 10.0.0.4'; --help lists all"),
    ("start", "tcpcopy: unknown command 'start': there are run and genkey"),
    ("run", "tcpcopy: -x is missing: what is to be copied to where, as in -x 80-10.0.0.3:8080 -s 10.0.0.4"),
    ("-s 10.0.0.4", "tcpcopy: -x is missing: what is to be copied to where, as in -x 80-10.0.0.3:8080 -s 10.0.0.4"),
    ("-x 80-10.0.0.3:8080", "tcpcopy: -s is missing: where does intercept run, as in -s 10.0.0.4"),
    ("-x", "tcpcopy: -x: a value is missing: -x MAP,..."),
    ("-x 80-10.0.0.3 -s 10.0.0.4", "tcpcopy: -x: '80-10.0.0.3': the target needs a port, as in 80-10.0.0.3:8080"),
    ("-x 80-10.0.0.3:80x -s 10.0.0.4", "tcpcopy: -x: '80-10.0.0.3:80x': the target's port '80x' is not a number from 1 to 65535"),
    ("-x 10.0.0.3:80-10.0.0.3:80 -s 10.0.0.4",
     "tcpcopy: -x: '10.0.0.3:80-10.0.0.3:80': the target is the online server itself: each copy would be copied again"),
    ("-x 10.0.0.3:8000-8010-10.0.0.3:8005 -s 10.0.0.4",
     "tcpcopy: -x: '10.0.0.3:8000-8010-10.0.0.3:8005': the target is the online server itself: each copy would be copied again"),
    ("-x 80-127.0.0.1:80 -s 10.0.0.4",
     "tcpcopy: -x: '80-127.0.0.1:80': the target is the online server itself: each copy would be copied again"),
    ("-x 1000-2000-10.0.0.3:1000 -s 10.0.0.4", "tcpcopy: -x: intercept can be told of 64 ports of targets, and these are more"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4:x", "tcpcopy: -s: '10.0.0.4:x': a port from 1 to 65535 must follow the ':'"),
    ("--mop 80-10.0.0.3:80", "tcpcopy: unknown option '--mop': did you mean --map?"),
    ("--intercpt 10.0.0.4", "tcpcopy: unknown option '--intercpt': did you mean --intercept?"),
    ("-X 80-10.0.0.3:80", "tcpcopy: unknown option '-X': did you mean -x (--map)?"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 eth0", "tcpcopy: 'eth0': unexpected: options begin with '-'"),
    ("--daemon=yes", "tcpcopy: --daemon takes no value"),
    ("-m 1", "tcpcopy: -m: '1': out of range: a size, as in 64m, from 16m to 1t is needed"),
    ("-m lots", "tcpcopy: -m: 'lots': not understood: a size, as in 64m, from 16m to 1t is needed"),
    ("-r 0", "tcpcopy: -r: '0': out of range: a number from 0.01 to 100 is needed"),
    ("-n 0", "tcpcopy: -n: '0': out of range: a whole number from 1 to 65535 is needed"),
    ("-p 65536", "tcpcopy: -p: '65536': out of range: a whole number from 1 to 65535 is needed"),
    ("-M 70000", "tcpcopy: -M: '70000': out of range: a whole number from 0 to 65535 is needed"),
    ("--pace slow", "tcpcopy: --pace: 'slow': one of response, think, timed, rate, asap is needed"),
    ("--overlap 5y", "tcpcopy: --overlap: '5y': not understood: a duration, as in 20ms, from 0 to 10s is needed"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -B 300", "tcpcopy: -B: 300m is more than half of -m (512m)"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -m 32 --sessions 50000000",
     "tcpcopy: -m: 32m is too little for 50000000 sessions and a buffer of 8m"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -i lo --read x.pcap", "tcpcopy: only one of -i, --device and --read can be used"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -i a.pcap,lo", "tcpcopy: -i: 'a.pcap,lo': some of these are files and some are not"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -i lo,,eth0", "tcpcopy: -i: 'lo,,eth0': a name is missing"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -i lo -a 2", "tcpcopy: -a is for files: live traffic has its own speed"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -i lo -I 5", "tcpcopy: -I is for files: live traffic has its own gaps"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -i lo -T 2", "tcpcopy: -T is for files: live traffic passes once"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -W --pace asap", "tcpcopy: -W means --pace timed: give one of them"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 --pace think --capture raw",
     "tcpcopy: --pace think needs the online server's packets, which --capture raw does not see"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -c 10.1.x.x",
     "tcpcopy: -c: '10.1.x.x': no address: allowed are 10.1.0.5, 10.1.0.x, 10.1.0.0/16, and IPv6"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -c 2001:db8::/120", "tcpcopy: -c: there is no IPv4 address for the target 10.0.0.3"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -c 10.0.0.x", "tcpcopy: -c: 10.0.0.3 is a target: it does not answer itself"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -H here", "tcpcopy: -H: 'here': an address is needed that the target can answer to"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -H 127.0.0.2", "tcpcopy: -H: '127.0.0.2': an address is needed that the target can answer to"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -H 10.0.0.3", "tcpcopy: -H: 10.0.0.3 is a target: it does not answer itself"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -H 2001:db8::1", "tcpcopy: -H: 2001:db8::1: there is no IPv6 target"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -n 40000",
     "tcpcopy: -n: 40000 copies of a session need more than the 31745 ports that there are: use more addresses with -c"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -n 40000 -c 10.1.0.1",
     "tcpcopy: -n: 40000 copies of a session need more than the 31744 ports that there are: use more addresses with -c"),
    ("-f 33", "tcpcopy: -f: '33': out of range: a whole number from 0 to 32 is needed"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 -f 1 -n 993",
     "tcpcopy: -n: 993 copies of a session need more than the 992 ports that there are: use more addresses with -c"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 --pace rate", "tcpcopy: --pace rate and --rate N belong together: so many turns a second of each session"),
    ("-x 80-10.0.0.3:80 -s 10.0.0.4 --rate 5", "tcpcopy: --pace rate and --rate N belong together: so many turns a second of each session"),
    ("--rate 0", "tcpcopy: --rate: '0': out of range: a whole number from 1 to 1000000 is needed"),
    ("--ramp -5", "tcpcopy: --ramp: '-5': not understood: a duration, as in 20ms, from 0 to 24h is needed"),
    ("--max-out 7k", "tcpcopy: --max-out: '7k': out of range: bits a second, as in 200M, from 8kbit to 1tbit is needed"),
    ("--max-out fast", "tcpcopy: --max-out: 'fast': not understood: bits a second, as in 200M, from 8kbit to 1tbit is needed"),
    ("--limit-sessions many", "tcpcopy: --limit-sessions: 'many': not understood: a whole number from 0 to 1000000 is needed"),
    ("genkey", "tcpcopy: genkey: a file is missing: tcpcopy genkey FILE"),
    ("genkey a b", "tcpcopy: genkey: 'b': unexpected: options begin with '-'"),
    ("genkey --bits 5 a", "tcpcopy: genkey: unknown option '--bits': --help lists all"),
]

# Command lines that runbooks hold: they are understood, whether or not this host has the devices and routes.
CLASSIC = [
    "-x 80-10.0.0.3:8080 -s 10.0.0.4",
    "-x 80-10.0.0.3:8080 -s 10.0.0.4 -c 10.1.0.x",
    "-x 11311-10.100.10.31:11311 -s 10.100.10.32 -d",
    "-x 10.0.0.2:80-10.0.0.3:8080,443-10.0.0.3:8443 -s 10.0.0.4:36524,10.0.0.5",
    "-x 80-10.0.0.3:8080 -s 10.0.0.4 -i eth0 -F 'tcp and dst port 80'",
    "-x 80@00:13:21:B2:5E:42-10.0.0.3:8080@00:0F:1F:03:F2:E6 -s 10.0.0.4 -o eth1 -i eth0",
    "-x 80-10.0.0.3:8080 -s 10.0.0.4 -i a.pcap -a 2 -I 1000",
    "-x 80-10.0.0.3:8080 -s 10.0.0.4 -p 36525 -H 10.1.0.9 -n 3 -f 3 -g -r 50 -O -W -L -R 20 -t 60 -k 5 -m 64 -M 1500 -D 1460 -C 2 -U 32 "
    "-B 8 -S 1500 -l x.log -d -P x.pid",
]


def words(line):
    """Split a line as a shell would, quotes only."""
    return [quoted or word for quoted, word in re.findall(r"'([^']*)'|(\S+)", line)]


def drop_net_raw():
    if ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_NET_RAW, 0, 0, 0) != 0 and os.geteuid() == 0:
        os._exit(99)


class CommandLines(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        with open(os.path.join(self.folder.name, "a.pcap"), "wb") as f:
            f.write(bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000"))

    def run_program(self, line, **kwargs):
        return subprocess.run([PROGRAM] + words(line), cwd=self.folder.name, stdin=subprocess.DEVNULL, capture_output=True,
                              encoding="ascii", timeout=10, **kwargs)

    def test_a_wrong_command_line_is_told_in_one_line_and_ends_with_2(self):
        for line, message in WRONG:
            with self.subTest(line):
                r = self.run_program(line)
                self.assertEqual((r.returncode, r.stdout, r.stderr), (USAGE, "", message + "\n"))

    def test_the_command_lines_of_the_classic_are_understood(self):
        for line in CLASSIC:
            with self.subTest(line):
                r = self.run_program(line + " --dry-run")
                self.assertIn(r.returncode, (OK, FAILED), r.stderr)
                self.assertTrue(r.stdout.startswith("map        "), r.stdout + r.stderr)

    def test_help_and_version_go_to_stdout_and_end_with_0(self):
        for line, begins in [("-h", "usage: tcpcopy [run] -x"), ("--help", "usage: tcpcopy [run] -x"), ("run -h", "usage: tcpcopy [run] -x"),
                             ("-v", "tcpcopy 2."), ("--version", "tcpcopy 2."), ("genkey -h", "usage: tcpcopy genkey FILE"),
                             ("-x nonsense -h", "usage: ")]:
            with self.subTest(line):
                r = self.run_program(line)
                self.assertEqual((r.returncode, r.stderr), (OK, ""))
                self.assertTrue(r.stdout.startswith(begins), r.stdout)

    def test_run_is_implied_by_an_option_and_changes_nothing(self):
        line = "-x 127.0.0.1:80-127.0.0.2:8080 -s 127.0.0.3 -i lo --dry-run"
        implied, said = self.run_program(line), self.run_program("run " + line)
        self.assertEqual(implied.returncode, OK, implied.stderr)
        self.assertEqual((implied.stdout, implied.stderr), (said.stdout, said.stderr))

    def test_a_dry_run_shows_the_plan_without_a_privilege(self):
        r = self.run_program("-x 127.0.0.1:80-127.0.0.2:8080 -s 127.0.0.3,[::1]:7 -i lo -r 12.5 -W --max-lag 1500ms -m 64 -B 16 --dry-run",
                             preexec_fn=drop_net_raw)
        self.assertEqual((r.returncode, r.stderr), (OK, ""))
        rows = r.stdout.splitlines()
        self.assertEqual(rows[0], "map        127.0.0.1:80-127.0.0.2:8080")
        self.assertIn("input      device 'lo'", rows)
        self.assertRegex(r.stdout, r"\nfilter     \(tcp and .*dst port 80.* and dst host 127\.0\.0\.1\)")
        self.assertRegex(r.stdout, r"\ntarget     127\.0\.0\.2 dev lo mtu \d+\n")
        self.assertRegex(r.stdout, r"\nintercept  127\.0\.0\.3:36524, without a key\n           \[::1\]:7\n")
        self.assertRegex(r.stdout, r"\nmemory     64m: 16m for the capture, \d+ MB for \d+ sessions and \d+ chunks of bytes\n")
        self.assertIn("pace       timed, 12.5 % of the sessions, at most 1500ms behind", rows)

    def test_a_dry_run_shows_the_addresses_that_copies_speak_from(self):
        base = "-x 127.0.0.1:80-127.0.0.2:8080 -s 127.0.0.3 -i lo --dry-run "
        for more, row in [("-n 2", "copies     2 of each session, ports 1024 to 32767"),
                          ("-c 10.1.0.x,10.1.0.7", "copies     1 of each session, from 254 addresses, ports 1024 to 32767"),
                          ("-f 1", "copies     1 of each session, ports 1024 to 2015"),
                          ("-f 32 -n 2", "copies     2 of each session, ports 31776 to 32767"),
                          ("-H 10.1.0.9", "localhost  speaks as 10.1.0.9")]:
            with self.subTest(more):
                self.assertIn(row, self.run_program(base + more).stdout.splitlines())
        self.assertNotIn("copies", self.run_program(base).stdout)

    def test_a_dry_run_shows_limits_and_pace(self):
        base = "-x 127.0.0.1:80-127.0.0.2:8080 -s 127.0.0.3 -i lo --dry-run "
        for more, row in [("", "limits     200mbit out"),
                          ("--max-out 64k --limit-sessions 50", "limits     64kbit out; 50 new sessions a second"),
                          ("-g", "pace       response, 100 % of the sessions, at most 10s behind, all of them after 100s"),
                          ("--ramp 5 -r 50", "pace       response, 50 % of the sessions, at most 10s behind, all of them after 5s"),
                          ("--pace rate --rate 20", "pace       rate of 20 turns a second, 100 % of the sessions, at most 10s behind")]:
            with self.subTest(more):
                self.assertIn(row, self.run_program(base + more).stdout.splitlines())

    def test_clients_of_loopback_are_captured_where_another_address_speaks_for_them(self):
        base = "-x 80-127.0.0.2:8080 -s 127.0.0.3 -i lo --dry-run "
        self.assertNotIn("dst host 127.0.0.1", self.run_program(base).stdout)
        self.assertIn("dst host 127.0.0.1", self.run_program(base + "-H 10.1.0.9").stdout)

    def test_a_dry_run_tells_what_would_not_do_and_ends_with_1(self):
        base = "-x 127.0.0.1:80-127.0.0.2:8080 -s 127.0.0.3 --dry-run "
        for more, message in [("--device nodev9", "device 'nodev9': no such device"), ("-F 'no such filter'", "no such filter"),
                              ("--read missing.pcap", "file 'missing.pcap': cannot be read"), ("-o nodev9", "nodev9")]:
            with self.subTest(more):
                r = self.run_program(base + more)
                self.assertEqual(r.returncode, FAILED, r.stdout + r.stderr)
                self.assertIn(message, r.stdout)

    def test_options_without_a_meaning_are_told_once(self):
        r = self.run_program("-x 127.0.0.1:80-127.0.0.2:8080 -s 127.0.0.3 -i lo --dry-run -U 5 -C 3 -U 6")
        self.assertEqual(r.returncode, OK)
        self.assertEqual(r.stderr, "tcpcopy: -C has no effect: there is one connection to each intercept\n"
                                   "tcpcopy: -U has no effect: sessions have no pools of their own\n")

    def test_without_cap_net_raw_it_says_how_to_grant_it_and_ends_with_4(self):
        for more in ["", " -d"]:
            with self.subTest(more):
                r = self.run_program("-x 127.0.0.1:80-127.0.0.2:8080 -s 127.0.0.3 -i lo" + more, preexec_fn=drop_net_raw)
                self.assertEqual((r.returncode, r.stdout), (PRIVILEGE, ""))
                self.assertRegex(r.stderr, r"^tcpcopy: CAP_NET_RAW is missing: .*setcap cap_net_raw,cap_net_admin\+ep .*\n$")

    def test_genkey_makes_a_key_that_only_its_owner_may_read(self):
        r = self.run_program("genkey key")
        self.assertEqual((r.returncode, r.stdout), (OK, ""))
        path = os.path.join(self.folder.name, "key")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with open(path, encoding="ascii") as f:
            first = f.read()
        self.assertRegex(first, r"^[0-9a-f]{64}\n$")

        r = self.run_program("genkey key")
        self.assertEqual((r.returncode, r.stderr),
                         (FAILED, "tcpcopy: 'key' exists and is left as it is: remove it first, or give another name\n"))
        with open(path, encoding="ascii") as f:
            self.assertEqual(f.read(), first)

        self.assertEqual(self.run_program("genkey other").returncode, OK)
        with open(os.path.join(self.folder.name, "other"), encoding="ascii") as f:
            self.assertNotEqual(f.read(), first)
        r = self.run_program("genkey nowhere/key")
        self.assertEqual((r.returncode, r.stderr), (FAILED, "tcpcopy: cannot create 'nowhere/key': No such file or directory\n"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
