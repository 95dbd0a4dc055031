"""graphdebug's adapter as one path, which is all that Microsoft's test client can start."""

import sys

from graphdebug.__main__ import main

sys.exit(main(["adapter"]))
