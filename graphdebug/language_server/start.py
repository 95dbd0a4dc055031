"""Puts the server together and runs it on stdio."""

from __future__ import annotations

import gc

from graphdebug.language_server import (
    bindings,
    code_actions,
    code_lenses,
    diagnostics,
    hovers,
    inlay_hints,
    inline_values,
    synchronization,
)
from graphdebug.language_server.server import Server


def serve() -> None:
    """Until the client ends it or is gone."""
    server = Server()
    for feature in (
        synchronization,
        diagnostics,
        bindings,
        code_actions,
        inlay_hints,
        inline_values,
        hovers,
        code_lenses,
    ):
        feature.register(server)
    gc.freeze()  # what was imported stays: to look through it again costs more than an answer
    server.start_io()
