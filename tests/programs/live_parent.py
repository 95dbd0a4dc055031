"""Starts a program that outlives whatever becomes of this one, and waits for it."""

import subprocess
import sys

sys.exit(subprocess.Popen([sys.executable, *sys.argv[1:]], start_new_session=True).wait())
