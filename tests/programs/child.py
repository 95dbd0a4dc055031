"""Started by ``parent.py``."""

import sys

given = sys.argv[1]
print("child got", given)  # @child
sys.exit(5)
