# SPDX-License-Identifier: BSD-2-Clause
"""All that users' traffic and networks do to a copy: each module here enters its scenarios in stage.SCENARIOS."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
