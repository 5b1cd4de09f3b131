#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""man.py PROGRAM PAGE - the man page and --help name the same options, and the page is clean mdoc

Exit 0: so it is; 1: it is not; 77: as far as it could be checked without mandoc.
"""

import re
import shutil
import subprocess
import sys

# These speak of the machine that the check runs on.
NOT_OURS = re.compile(r"referenced manual not found|outdated mandoc\.db")


def of_help(program):
    text = subprocess.run([program, "--help"], capture_output=True, encoding="ascii", check=True).stdout
    rows = re.findall(r"^  (?:-(\w), |    )--([\w-]+)", text, re.M)
    return {(letter, name) for letter, name in rows}


def of_page(page):
    with open(page, encoding="ascii") as f:
        text = f.read()
    rows = re.findall(r"^\.It Fl (?:(\w) , Fl )?-([\w-]+)", text, re.M)
    return {(letter, name) for letter, name in rows}


def spell(option):
    return f"-{option[0]}, --{option[1]}" if option[0] else f"--{option[1]}"


def main():
    program, page = sys.argv[1:]
    options, documented = of_help(program), of_page(page)
    findings = [f"{page}: {spell(o)} is in --help, not here" for o in sorted(options - documented)]
    findings += [f"{page}: {spell(o)} is here, not in --help" for o in sorted(documented - options)]
    if not options:
        findings.append(f"{program} --help lists no options")
    mandoc = shutil.which("mandoc")
    if mandoc:
        lint = subprocess.run([mandoc, "-T", "lint", "-W", "style", page], capture_output=True, encoding="utf-8", check=False)
        findings += [line for line in (lint.stdout + lint.stderr).splitlines() if not NOT_OURS.search(line)]
    if findings:
        print("\n".join(findings))
        sys.exit(1)
    if not mandoc:
        print("mandoc is not installed: make deps")
        sys.exit(77)


main()
