"""Puts what Jupyter looks for beside the package: the server's configuration, JupyterLab's extension."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = Path("graphdebug", "jupyter", "labextension")
PLACE = "share/jupyter/labextensions/@graphdebug/jupyterlab"
SHARED = {
    "extension/jupyterlab/jupyter_server_config.json": (
        "etc/jupyter/jupyter_server_config.d/graphdebug.json"
    ),
}


class JupyterData(BuildHookInterface):  # type: ignore[type-arg]
    """Called for each wheel, the editable one too."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """The extension is made by Node, which an installation from a checkout may not have."""
        root = Path(self.root)
        shared = {str(root / source): target for source, target in SHARED.items()}
        if (root / BUILT / "package.json").is_file():
            shared[str(root / BUILT)] = PLACE
            shared[str(root / "extension" / "jupyterlab" / "install.json")] = (
                f"{PLACE}/install.json"
            )
        else:
            self.app.display_warning(
                "JupyterLab's sidebar is not part of this: it isn't built. Run scripts/labextension, "
                "which needs Node.js, and install again."
            )
        build_data["shared_data"].update(shared)
