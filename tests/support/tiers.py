"""The tiers of the torch backend: what is built for the native one is built once, and kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

TIERS = ("python", "native")

_BUILD = """
from graphdebug.runtime.backends.torch.native_cache import Cache
cache = Cache()
cache.library() or cache.build(quietly=False)
"""

_cache: Path | None = None


def keep(directory: Path) -> None:
    """Where what is built is kept; told by conftest."""
    global _cache
    _cache = directory


def missing() -> str:
    """What the native tier can't be built without here; nothing where all is there."""
    if not any(map(shutil.which, filter(None, (os.environ.get("CXX"), "c++", "g++", "clang++")))):
        return "there is no C++ compiler"
    if not Path(sysconfig.get_paths()["include"], "Python.h").exists():
        return "Python's headers aren't there"
    return ""


def tier_environment(tier: str) -> dict[str, str]:
    """The variables that choose a tier, which is then waited for; skips where it can't be built."""
    assert _cache is not None
    if tier == "native" and (what := missing()):
        pytest.skip(f"the native tier can't be built: {what}")
    return {"GRAPHDEBUG_TORCH_TIER": tier, "XDG_CACHE_HOME": str(_cache)}


def build_in_background() -> None:
    """Begin to build, so that it is there by the time that it is asked for.

    Where two do, the second waits for the first and finds that all is done.
    """
    if missing() or os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
        return
    environment = {**os.environ, **tier_environment("python")}
    subprocess.Popen(
        [sys.executable, "-c", _BUILD],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
