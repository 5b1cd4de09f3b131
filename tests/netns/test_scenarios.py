# SPDX-License-Identifier: BSD-2-Clause
"""test_scenarios.py - each scenario of lab/scenario.py in its short form, every second one over IPv6

The commands are echoed and, when a scenario fails, its logs are kept.
"""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.environ.get("TCPCOPY_SOURCE") or os.path.join(os.path.dirname(__file__), "..", ".."), "lab"))

import scenario  # pylint: disable=wrong-import-position

# These have addresses of IPv4 in them.
ONLY_IPV4 = {"interface_down_for_two_seconds", "flood_of_syns"}
ROWS = [(name, i % 2 == 1 and name not in ONLY_IPV4) for i, name in enumerate(scenario.SCENARIOS)]


@pytest.mark.parametrize("name, six", ROWS, ids=[f"{name}-{'ipv6' if six else 'ipv4'}" for name, six in ROWS])
def test_scenario(name, six):
    try:
        scenario.run(name, scale=1, six=six, say=print)
    except scenario.Skip as e:
        pytest.skip(str(e))
