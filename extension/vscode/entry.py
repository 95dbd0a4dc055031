"""Runs graphdebug as the extension brings it along: ``entry.py COMMAND ...``.

The interpreter is the user's own. What the extension brings is found by this process alone and
stays out of the environment, so that a program under the debugger imports what it would without.
"""

import os
import re
import sys
from importlib.util import find_spec

HERE = os.path.dirname(os.path.abspath(__file__))
LEAST_DEBUGPY = (1, 8, 14)
"""Older ones are passed over. The interpreter's own has the compiled parts that ours lacks."""


def own_debugpy_fits() -> bool:
    """Whether the interpreter has a debugpy that can be used; nothing is imported."""
    spec = find_spec("debugpy")
    if spec is None or spec.origin is None:
        return False
    version_file = os.path.join(os.path.dirname(spec.origin), "_version.py")
    try:
        with open(version_file, encoding="utf-8") as file:
            version = re.search(r'"version": "(\d+)\.(\d+)\.(\d+)', file.read())
    except OSError:
        return False
    return version is not None and tuple(map(int, version.groups())) >= LEAST_DEBUGPY


sys.path.pop(0)  # this directory
LIBRARIES = [os.path.join(HERE, "libraries")]
if not own_debugpy_fits():
    LIBRARIES.insert(0, os.path.join(HERE, "debugpy"))
sys.path[:0] = LIBRARIES

import graphdebug  # noqa: E402
from graphdebug.__main__ import main  # noqa: E402

graphdebug.libraries[:] = LIBRARIES

if __name__ == "__main__":
    sys.exit(main())
