"""Many stops inside of running graphs, and many clients that leave in the middle of one.

    python tests/benchmarks/live_stress.py [--stops 1000] [--detaches 100]

Fails where a program hangs, comes to another result than without a debugger, or leaves something
behind.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.live_series import many_stops, one_detach, result


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stops", type=int, default=1000)
    parser.add_argument("--detaches", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for kind in ("v1", "v2"):
            result([kind, "15", "2"], directory)
        if options.stops:
            print(many_stops(options.stops, directory), file=sys.stderr)
        if options.detaches:
            with ThreadPoolExecutor(2) as pool:
                numbers = range(options.detaches)
                taken = list(pool.map(lambda n: one_detach(n, directory), numbers))
            print(
                f"{len(taken)} detaches, {statistics.median(taken):.1f} s to the program's end "
                f"(median; {max(taken):.1f} s at most)",
                file=sys.stderr,
            )
        registry = (
            directory / f"graphdebug-{os.getuid()}"
        )  # which stays, empty, for the next session
        left = [path.name for path in directory.glob("graphdebug-*") if path != registry]
        left += [path.name for path in registry.glob("*")]
        assert not left, f"left behind: {left}"
    return 0


if __name__ == "__main__":
    sys.exit(main())
