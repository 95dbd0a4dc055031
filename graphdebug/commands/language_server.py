"""``graphdebug language-server``: LSP on stdio, for any editor."""

from __future__ import annotations

import argparse
import logging
from typing import Any


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "language-server",
        help="speak the Language Server Protocol on stdio",
        description="What breakpoints will do, and shapes, dtypes and devices of what each line made "
        "in the last step of a program that runs under graphdebug on this machine.",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run it."""
    from graphdebug.language_server.start import serve

    logging.basicConfig(level=logging.ERROR)  # on stderr, which editors show
    serve()
    return 0
