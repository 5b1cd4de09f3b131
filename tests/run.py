#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""run.py - all tests, in each of the builds that they need; what `make test` runs

The last line on stdout is "N passed, N failed, N skipped", summed over meson's own logs; a build that cannot be made counts as one
failure. Exit 0: nothing failed; 1: something did. With CI set, a skip fails too, unless its reason begins with "machine:": a fact
that neither a package nor root can mend.
"""

import json
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

SANITIZE = ["-Db_sanitize=address,undefined"]
# (build directory, compiler, options of meson, suites to run, a script to run on it)
BUILDS = [
    ("build-test", "gcc", [], ["unit", "sim", "script", "golden", "fuzz", "lint", "netns"], None),
    ("build-test-san", "gcc", SANITIZE + ["-Dsim_seeds=2000"], ["unit", "sim", "script", "fuzz"], None),
    ("build-test-clang", "clang-14", [], [], None),
    ("build-test-fuzz", "clang-14", SANITIZE + ["-Dfuzz=true"], ["fuzz"], None),
    ("build-test-static", "gcc", ["-Dstatic=true", "-Dprefer_static=true", "-Dtests=disabled"], [], "packaging/check-static.sh"),
]


def say(text):
    print(text, flush=True)


def build(name, compiler, options):
    """Configure and compile; an old directory is kept for its objects, or made anew when meson cannot use it."""
    def setup(*more):
        args = ["meson", "setup", name, "-Dwerror=true", "-Dtests=enabled", *options, *more]
        return subprocess.run(args, env={**os.environ, "CC": compiler}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode

    fresh = not os.path.exists(os.path.join(name, "build.ninja"))
    if setup(*([] if fresh else ["--reconfigure"])) != 0:
        shutil.rmtree(name, ignore_errors=True)
        if setup() != 0:
            return False
    return subprocess.run(["ninja", "--quiet", "-C", name], stdin=subprocess.DEVNULL).returncode == 0


def meson_test(name, *what):
    """Run tests in a build; return meson's records of them."""
    log = os.path.join(name, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    args = ["meson", "test", "-C", name, "--no-rebuild", "--print-errorlogs"]
    code = subprocess.run([*args, *what], stdin=subprocess.DEVNULL).returncode
    if not os.path.exists(log):
        return [] if code == 0 else [{"name": name, "result": "ERROR"}]
    with open(log, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def run(name, suites):
    """Run suites. What failed on real hosts gets a second try, alone, and is named: a busy machine is no fault, but a thing to know."""
    tests = meson_test(name, *[f"--suite={s}" for s in suites])
    for i, test in enumerate(tests):
        suite, _, title = test["name"].partition(" / ")
        if suite.endswith(":netns") and test["result"] in ("FAIL", "TIMEOUT"):
            again = meson_test(name, title)
            if len(again) == 1 and again[0]["result"] == "OK":
                say(f"passed at the second try only: {name}: {test['name']}")
                tests[i] = again[0]
    return tests


def check(name, script):
    """Run a script on a build, as one test more."""
    done = subprocess.run([script, name], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    sys.stderr.write(done.stderr)
    return {"name": script, "result": "OK" if done.returncode == 0 else "FAIL", "stderr": done.stderr}


def reason(test):
    lines = [l.strip() for l in (test.get("stdout", "") + "\n" + test.get("stderr", "")).splitlines() if l.strip()]
    return lines[-1] if lines else "no reason given"


def main():
    os.chdir(ROOT)
    passed, failed, skipped = 0, [], []
    for name, compiler, options, suites, script in BUILDS:
        began = time.monotonic()
        say(f"== {name}: {compiler} -Werror {' '.join(options)}".rstrip())
        if not build(name, compiler, options):
            failed.append(f"{name}: does not build")
            continue
        tests = run(name, suites) if suites else []
        if script:
            tests.append(check(name, script))
        for test in tests:
            title = f"{name}: {test['name']}"
            if test["result"] in ("OK", "EXPECTEDFAIL"):
                passed += 1
            elif test["result"] == "SKIP":
                skipped.append((title, reason(test)))
            else:
                failed.append(f"{title}: {test['result']}")
        say(f"== {name}: {time.monotonic() - began:.0f} s")

    avoidable = [s for s in skipped if not s[1].startswith("machine:")] if os.environ.get("CI") else []
    for title, why in skipped:
        say(f"skipped: {title}: {why}")
    for title in failed:
        say(f"failed: {title}")
    if avoidable:
        say(f"{len(avoidable)} skipped that this machine could run: that is a failure in CI")
    say(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    sys.exit(1 if failed or avoidable else 0)


main()
