"""Runs ``child.py`` and passes its exit code on."""

import pathlib
import subprocess
import sys

child = pathlib.Path(__file__).with_name("child.py")
code = subprocess.run([sys.executable, str(child), "from-parent"]).returncode
print("child ended with", code)  # @after
sys.exit(code)
