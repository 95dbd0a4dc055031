"""The Jupyter server's extension: the steps of its kernels, for a sidebar beside the notebook.

A server that finds ``jupyter_server_config.d/graphdebug.json`` loads it. The kernels it starts carry
the runtime (``provisioner``), which connects to the kernel's session here (``session``); browsers
come through the server's own authentication (``handlers``). Nothing is imported before it is asked
for, since this module is what a server imports first.
"""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from graphdebug.jupyter.extension import GraphdebugApp

    return [{"module": "graphdebug.jupyter", "app": GraphdebugApp}]
