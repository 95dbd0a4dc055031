"""Ends itself by the signal that is named."""

import os
import signal
import sys

print("about to die", flush=True)
os.kill(os.getpid(), getattr(signal, sys.argv[1]))  # @dies
signal.pause()
