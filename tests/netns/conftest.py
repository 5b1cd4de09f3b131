# SPDX-License-Identifier: BSD-2-Clause
"""A file of pytest in which a test was skipped, and none failed, is itself a skip: exit 77, the reason in its last line."""

reasons = []


def pytest_runtest_logreport(report):
    if report.skipped:
        reasons.append(report.longrepr[2].removeprefix("Skipped: "))


def pytest_sessionfinish(session, exitstatus):
    if reasons and exitstatus == 0:
        session.exitstatus = 77


def pytest_unconfigure(config):
    # an avoidable reason last: it is the one that is looked at
    for reason in sorted(reasons, key=lambda r: not r.startswith("machine:")):
        print(reason)
