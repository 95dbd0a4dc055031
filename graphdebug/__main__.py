"""``graphdebug``: finds the subcommand and runs it. The one place that catches errors."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from graphdebug import __version__
from graphdebug.commands.errors import CommandError

COMMANDS = ("demo", "run", "ps", "attach", "adapter", "language-server")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code: 2 for wrong use, 1 for a failure of ours."""
    parser = argparse.ArgumentParser(
        prog="graphdebug", description="The debugger for deep-learning programs."
    )
    parser.add_argument("--version", action="version", version=f"graphdebug {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    words = list(sys.argv[1:] if arguments is None else arguments)
    # A command's own imports are worth saving when another one runs: the adapter starts cold.
    wanted = [name for name in (*COMMANDS, "hub") if name in words[:1]] or list(COMMANDS)
    for name in wanted:
        import_module(f"graphdebug.commands.{name.replace('-', '_')}").add(subparsers)
    parsed = parser.parse_args(words)
    try:
        code: int = parsed.run(parsed)
        return code
    except CommandError as error:
        print(f"graphdebug: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
