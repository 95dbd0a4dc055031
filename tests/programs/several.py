"""Runs programs one after the other in one process, each announced by a line of its own.

Its arguments: ``NAME:ARGUMENT:...`` for each program.
"""

import os
import runpy
import sys

for item in sys.argv[1:]:
    name, *arguments = item.split(":")
    print("===", item, flush=True)
    path = os.path.join(os.path.dirname(__file__), name)
    sys.argv = [path, *arguments]
    runpy.run_path(path, run_name="__main__")
