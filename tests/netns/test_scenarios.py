# SPDX-License-Identifier: BSD-2-Clause
"""test_scenarios.py - each scenario of lab/scenarios in its short form, every second one over IPv6

The commands are echoed and, when a scenario fails, its logs are kept.
"""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.environ.get("TCPCOPY_SOURCE") or os.path.join(os.path.dirname(__file__), "..", ".."), "lab"))

from scenario import in_order  # pylint: disable=wrong-import-position
from stage import Skip, run  # pylint: disable=wrong-import-position

ROWS = [(s.name, i % 2 == 1 and s.ipv6) for i, s in enumerate(in_order())]


@pytest.mark.parametrize("name, six", ROWS, ids=[f"{name}-{'ipv6' if six else 'ipv4'}" for name, six in ROWS])
def test_scenario(name, six):
    try:
        run(name, six=six, say=print)
    except Skip as e:
        pytest.skip(str(e))
