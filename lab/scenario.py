#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-2-Clause
"""scenario.py [-4 | -6] [NAME | NUMBER]... - what users' traffic and networks do to a copy, one scenario after another; what `make lab` runs

Each scenario has three hosts of its own, tcpcopy and intercept, and ends with the same questions: has the target all that the online
server has, byte for byte; do the books of tcpcopy balance; are both programs alive; was the clients' wire quiet. The servers count,
not tcpcopy. Where a scenario itself prevents a full copy, it says what may be missing, and that has to have a name.

They are in lab/scenarios, and stand on lab/stage.py. All of them, or those named, are played over IPv4 and IPv6, or over one of them.
stdout is a table. Exit status: 0 when all passed; 1 when one failed; 2 for a name that there is not; 4 without the rights for namespaces.
"""

import sys
import time
import traceback

import scenarios  # pylint: disable=unused-import
from lab import exit_on_signals, require_root
from stage import SCENARIOS, Skip, run

LAB_SCALE = 5


def in_order():
    """All scenarios, by their numbers."""
    return sorted(SCENARIOS.values(), key=lambda s: s.number)


def play(s, six):
    """Print its row of the table; return whether it is as it should be."""
    began, passed, outcome = time.monotonic(), True, "passed"
    try:
        remark = run(s.name, LAB_SCALE, six, strict=True)
        outcome += f": {remark}" if remark else ""
    except Skip as e:
        outcome = f"skipped: {e}"
    except Exception as e:  # pylint: disable=broad-exception-caught
        passed = False
        outcome = f"FAILED: {str(e).splitlines()[0] if str(e) else traceback.extract_tb(e.__traceback__)[-1].line}"
    print(f"{s.number:2} {s.name.replace('_', ' '):50} IPv{6 if six else 4} {time.monotonic() - began:6.1f} s  {outcome}", flush=True)
    return passed


def main():
    families = [arg for arg in sys.argv[1:] if arg in ("-4", "-6")]
    names = [arg for arg in sys.argv[1:] if arg not in families]
    unknown = [name for name in names if not any(name in (s.name, str(s.number)) for s in in_order())]
    if unknown:
        print(f"scenario.py: no such scenario: {', '.join(unknown)}; there are:", file=sys.stderr)
        print("\n".join(f"  {s.number:2} {s.name}" for s in in_order()), file=sys.stderr)
        return 2
    require_root("make lab")
    exit_on_signals()
    rows = [(s, six) for s in in_order() if not names or s.name in names or str(s.number) in names
            for six in (False, True) if (s.ipv6 or not six) and (not families or f"-{6 if six else 4}" in families)]
    outcomes = [play(s, six) for s, six in rows]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
