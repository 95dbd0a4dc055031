"""What a launched program gets in its environment, so that the runtime comes with it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from graphdebug.protocol.runtime import ENVIRONMENT_VARIABLE, Invitation
from graphdebug.protocol.wire import to_wire

BOOTSTRAP = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "runtime", "bootstrap"
)
"""The directory whose ``sitecustomize`` carries the runtime in."""


def environment(invitation: Invitation, base: Mapping[str, str | None]) -> dict[str, str]:
    """The variables to add to ``base``, which the program is going to have."""
    path = base.get("PYTHONPATH")
    return {
        ENVIRONMENT_VARIABLE: json.dumps(to_wire(invitation), separators=(",", ":")),
        "PYTHONPATH": os.pathsep.join(filter(None, (BOOTSTRAP, path))),
    }
