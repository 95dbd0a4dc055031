"""The extension as the server sees it: settings, handlers, beginning and end."""

from __future__ import annotations

from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.utils import url_path_join
from traitlets import Bool, CaselessStrEnum

from graphdebug import __version__
from graphdebug.jupyter import provisioner
from graphdebug.jupyter.door import Door
from graphdebug.jupyter.handlers import routes
from graphdebug.jupyter.kernels import Kernels
from graphdebug.protocol.dap import Configuration


class GraphdebugApp(ExtensionApp):
    """graphdebug for the kernels of this server."""

    name = "graphdebug"
    version = __version__
    description = "Shows the steps of deep-learning programs in notebooks."

    observe_kernels = Bool(True, help="Whether kernels that the server starts are observed.").tag(
        config=True
    )
    capture = CaselessStrEnum(
        ["off", "steps", "nodes", "values"], "nodes", help="How much of each step is recorded."
    ).tag(config=True)

    def initialize_handlers(self) -> None:
        """Called once, when the server loads the extension."""
        server = self.serverapp
        assert server is not None
        self.kernels = Kernels(Configuration(capture=self.capture), self.log)
        self._door = Door(self.kernels, lambda id: id in server.kernel_manager)
        base = server.web_app.settings["base_url"]
        self.handlers.extend((url_path_join(base, path), handler, kernels)
                             for path, handler, kernels in routes(self.kernels))  # fmt: skip
        if self.observe_kernels and not provisioner.install(self.kernels, server):
            self.log.info(
                "graphdebug: this server starts its kernels in a way of its own; a notebook that "
                "runs %%load_ext graphdebug is observed"
            )

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """The server's loop runs."""
        try:
            await self._door.open()
        except OSError as error:
            self.log.warning("graphdebug: kernels that run already can't join: %s", error)

    async def stop_extension(self) -> None:
        """The server ends; its kernels have ended."""
        provisioner.remove()
        await self._door.close()
        await self.kernels.close()
