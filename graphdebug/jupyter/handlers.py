"""What browsers ask, behind the server's own authentication and authorization.

Whoever may read the server's kernels may read what they did; who may write to them may say what is
recorded.
"""

from __future__ import annotations

import json
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from graphdebug.jupyter.kernels import Kernel, Kernels
from graphdebug.observation.answers import Refused
from graphdebug.protocol import dap
from graphdebug.protocol.jupyter import CellBreakpointsArguments
from graphdebug.protocol.wire import WireError, from_wire, to_wire

RESOURCE = "kernels"
"""What the server's authorizer is asked about."""

_COMMANDS = {command.removeprefix("graphdebug").lower(): command for command in dap.REQUESTS}
_ID = r"(?P<id>\w+-\w+-\w+-\w+-\w+)"


def routes(kernels: Kernels) -> list[tuple[str, type, dict[str, Any]]]:
    """Paths below the server's base, and who answers there."""
    shared = {"kernels": kernels}
    place = rf"/graphdebug/kernels/{_ID}"
    return [
        (rf"{place}/events", EventsHandler, shared),
        (rf"{place}/configuration", ConfigurationHandler, shared),
        (rf"{place}/breakpoints", BreakpointsHandler, shared),
        (rf"{place}/published/(?P<key>[\w-]+)", PublishedHandler, shared),
        (rf"{place}/(?P<noun>{'|'.join(_COMMANDS)})", RecordsHandler, shared),
    ]


class _OfKernel(JupyterHandler):
    """Knows the kernel that it is asked about."""

    auth_resource = RESOURCE

    def initialize(self, kernels: Kernels, **settings: Any) -> None:
        """Called by tornado for each request."""
        super().initialize(**settings)
        self._kernels = kernels

    def of(self, id: str) -> Kernel:
        """The kernel; the request ends where the server has none of that id."""
        if id not in self.kernel_manager:
            raise web.HTTPError(404, f"there is no kernel {id}")
        return self._kernels.kernel(id)


class _Handler(_OfKernel, APIHandler):
    """Answers with JSON."""

    def body(self, cls: type) -> Any:
        """The request's, as a dataclass of the protocol."""
        try:
            return from_wire(cls, self.get_json_body() or {})
        except WireError as error:
            raise web.HTTPError(400, str(error)) from None

    def answer(self, body: Any) -> None:
        """The answer's."""
        self.finish(json.dumps(to_wire(body)))


class RecordsHandler(_Handler):
    """Steps, nodes, tensors as they were recorded, and what is observed."""

    @web.authenticated
    @authorized
    async def get(self, id: str, noun: str) -> None:
        """The query has the arguments of the request of the Contract."""
        session = self.of(id).session
        if session is None:
            raise web.HTTPError(
                409, "this kernel is not observed: restart it, or %load_ext graphdebug"
            )
        asked = {key: _value(self.get_query_argument(key)) for key in self.request.query_arguments}
        asked.pop("token", None)
        try:
            self.finish(json.dumps(await session.answer(_COMMANDS[noun], asked)))
        except Refused as error:
            raise web.HTTPError(400, str(error)) from None


def _value(text: str) -> int | str:
    return int(text) if text.removeprefix("-").isdigit() else text


class PublishedHandler(_Handler):
    """The result of an expression that the page had the debugger evaluate in the kernel."""

    @web.authenticated
    @authorized
    async def get(self, id: str, key: str) -> None:
        """Waits until it is there."""
        session = self.of(id).session
        event = None if session is None else await session.published(key)
        if event is None:
            raise web.HTTPError(504, "this kernel isn't observed: it has imported no framework")
        if event.error is not None:
            raise web.HTTPError(400, event.error)
        self.finish(json.dumps(event.result))


class ConfigurationHandler(_Handler):
    """What is recorded."""

    @web.authenticated
    @authorized
    async def put(self, id: str) -> None:
        """From now on."""
        kernel = self.of(id)
        await kernel.configure(self.body(dap.Configuration))
        self.answer(kernel.configuration)


class BreakpointsHandler(_Handler):
    """What breakpoints in the notebook do."""

    @web.authenticated
    @authorized
    async def put(self, id: str) -> None:
        """The page tells of all of them."""
        self.answer(self.of(id).set_breakpoints(self.body(CellBreakpointsArguments)))


class EventsHandler(WebSocketMixin, WebSocketHandler, _OfKernel):
    """The websocket of a kernel's events."""

    _leave: Any = None

    def set_default_headers(self) -> None:
        """A websocket has none of a page's."""

    @ws_authenticated
    async def get(self, id: str) -> None:
        """Only who may read kernels."""
        user = self.current_user
        if not await ensure_async(self.authorizer.is_authorized(self, user, "read", RESOURCE)):
            raise web.HTTPError(403)
        self._kernel = self.of(id)
        await super().get(id=id)

    def open(self, id: str) -> None:
        """It begins with how things are."""
        super().open()
        self._leave = self._kernel.listen(self._heard)

    def _heard(self, event: str, body: dict[str, Any]) -> None:
        try:
            self.write_message(json.dumps({"event": event, "body": body}))
        except WebSocketClosedError:
            pass  # it is about to be told

    def on_message(self, message: str | bytes) -> None:
        """Pages say nothing here."""

    def on_close(self) -> None:
        """The page has gone."""
        if self._leave is not None:
            self._leave()
            self._leave = None
