"""Says in JSON how it was started, writes to both streams and exits with code 3."""

import json
import os
import sys

started = {
    "args": sys.argv[1:],
    "name": __name__,
    "cwd": os.getcwd(),
    "set": os.environ.get("REPORT_SET"),
    "removed": os.environ.get("REPORT_REMOVED"),
}
print("started", json.dumps(started))  # @report
print("grüße ☃")
print("to stderr", file=sys.stderr)
sys.exit(3)
