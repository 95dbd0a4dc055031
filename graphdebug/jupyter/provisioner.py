"""Starts kernels with the runtime in their environment."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from graphdebug.jupyter.kernels import Kernels
from graphdebug.observation import injection

NAME = "graphdebug-provisioner"
_USUAL = "local-provisioner"


class Provisioner(LocalProvisioner):
    """Jupyter's own for this machine; Python's kernels get two environment variables more."""

    kernels: Kernels | None = None
    """Those of this process's server."""

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Called before each start, the first one and those again."""
        prepared = await super().pre_launch(**kwargs)
        language = str(getattr(self.kernel_spec, "language", "")).lower()
        if self.kernels is not None and language == "python":
            invitation = await self.kernels.starts(self.kernel_id)
            if invitation is not None:
                env = prepared["env"]
                prepared["env"] = {**env, **injection.environment(invitation, env)}
        return prepared

    async def cleanup(self, restart: bool = False) -> None:
        """Called after each end."""
        await super().cleanup(restart=restart)
        if self.kernels is not None:
            await self.kernels.ends(self.kernel_id)


def install(kernels: Kernels, server: Any) -> bool:
    """Start the server's kernels that way; False where its owner has chosen another one for all."""
    factory = KernelProvisionerFactory.instance(parent=server)
    if factory.default_provisioner_name not in (_USUAL, NAME):
        return False
    Provisioner.kernels = kernels
    place = f"{Provisioner.__module__}:{Provisioner.__name__}"
    factory.provisioners[NAME] = EntryPoint(NAME, place, factory.GROUP_NAME)
    factory.default_provisioner_name = NAME
    return True


def remove() -> None:
    """The server ends."""
    Provisioner.kernels = None
