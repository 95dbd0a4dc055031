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
# Each in one piece: both streams may end up in one terminal.
sys.stdout.write(f"started {json.dumps(started)}\n")  # @report
sys.stdout.flush()
sys.stderr.write("to stderr\n")
sys.stdout.write("grüße ☃\n")
sys.exit(3)
