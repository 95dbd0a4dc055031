"""Comes to a waiting adapter by itself, as a job elsewhere does: ``connects.py HOST PORT``."""

import sys

import debugpy

debugpy.connect((sys.argv[1], int(sys.argv[2])))
debugpy.wait_for_client()

here = "connected"
print(here)  # @here
if "--wait" in sys.argv:
    print("ready", flush=True)
    sys.stdin.read()
    print("told to stop", flush=True)
