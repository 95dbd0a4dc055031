"""The subcommands, one file each; each has ``add(subparsers)`` and is run by ``__main__``."""
