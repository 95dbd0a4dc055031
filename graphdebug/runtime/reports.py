"""How this process stands, for those who only look: steps, devices and memory."""

from __future__ import annotations

import os
from collections.abc import Collection

from graphdebug.protocol.runtime import Memory, ReportEvent
from graphdebug.runtime.backends import Backend


def report(steps: int, backends: Collection[Backend]) -> ReportEvent:
    """What is asked for once a second at most; nothing of it waits for a device."""
    memory = [item for backend in backends for item in _memory(backend)]
    devices = tuple(dict.fromkeys(item.device for item in memory))
    unrecorded = sum(backend.unrecorded for backend in backends)
    return ReportEvent(steps + unrecorded, devices, (*memory, *_resident()))


def _memory(backend: Backend) -> list[Memory]:
    try:
        return list(backend.memory())
    except Exception:
        return []  # a look at it may not do harm, and says nothing then


def _resident() -> list[Memory]:
    try:
        with open("/proc/self/status") as file:
            found = dict(line.split(":", 1) for line in file if line.startswith(("VmRSS", "VmHWM")))
        now, peak = (int(found[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
        return [Memory("process", now, peak)]
    except (OSError, KeyError, ValueError):
        return _peak_alone()


def _peak_alone() -> list[Memory]:
    if os.name != "posix":
        return []
    import resource
    import sys

    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return [Memory("process", peak, peak)]
