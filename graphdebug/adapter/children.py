"""The processes that the program starts: which take part in the session, and which don't.

debugpy tells of each Python process that it went into, which waits for a client then. (Into some it
doesn't go at all: see ``runtime.debugger.children``.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from graphdebug.adapter.debugged import Debugged
from graphdebug.adapter.session import PASS, Passed, Session
from graphdebug.adapter.upstream import Upstream
from graphdebug.observation.runtimes import Runtimes
from graphdebug.protocol import launchers
from graphdebug.protocol.dap import ChildPolicy, Configuration
from graphdebug.transport.framing import Message

RELEASE_SECONDS = 10.0
"""How long a process that is to run without the debugger may take to be let go."""


_TELLING = (*launchers.RANK, *launchers.LOCAL_RANK)


class Children:
    """Lets ranks take part in the session; hands other processes to the client, or lets them run."""

    def __init__(
        self, session: Session, runtimes: Runtimes, configuration: Callable[[], Configuration]
    ) -> None:
        self._session = session
        self._runtimes = runtimes
        self._configuration = configuration
        self._starts_debugging = False
        session.upstream.announced = self.announced

    def initialize_request(self, request: Message) -> Passed:
        """Note whether the client opens sessions when it is asked to."""
        arguments = request.get("arguments") or {}
        self._starts_debugging = bool(arguments.get("supportsStartDebuggingRequest"))
        return PASS

    def announced(self, parent: Debugged, configuration: dict[str, Any]) -> None:
        """A child of a process waits for a client; called on the loop."""
        pid = configuration["subProcessId"]
        told = self._runtimes.children.get(pid)
        variables = {} if told is None else told.variables
        theirs = self._runtimes.children.get(parent.pid or 0)
        inherited = parent.variables if theirs is None else theirs.variables
        ranked = told is not None and (told.rank or variables != inherited)
        policies = self._configuration().children
        policy: ChildPolicy = policies.ranks if ranked else policies.programs
        if policy == "session":
            self._hand_over(configuration)
        elif policy == "observe":
            self._session.start(self._release(configuration))
        else:
            rank = launchers.number(variables, _TELLING) if ranked else None
            self._session.start(self._join(configuration, pid, rank, variables))

    def _hand_over(self, configuration: dict[str, Any]) -> None:
        if not self._starts_debugging:
            return self._session.event("debugpyAttach", configuration)
        wanted = {key: value for key, value in configuration.items() if key != "request"}
        arguments = {"request": "attach", "configuration": wanted}
        return self._session.ask_client("startDebugging", arguments)

    async def _join(
        self,
        configuration: dict[str, Any],
        pid: int,
        rank: int | None,
        variables: dict[str, str],
    ) -> None:
        upstreams = self._session.upstream
        try:
            one = upstreams.new(await _connected(configuration), pid)
        except OSError as error:
            return self._session.output(f"process {pid} can't be debugged: {error}", "important")
        one.rank, one.variables = rank, variables
        if not await upstreams.join(one, _attach(configuration)):
            await one.upstream.close()
        return None

    async def _release(self, configuration: dict[str, Any]) -> None:
        """Let it run as if nobody debugged it."""
        try:
            upstream = await _connected(configuration)
        except OSError:
            return  # it has ended
        ready = asyncio.Event()
        pump = asyncio.ensure_future(
            upstream.pump(
                lambda message: (
                    ready.set()
                    if message is None or message.get("event") == "initialized"
                    else None
                )
            )
        )
        try:
            await upstream.ask("initialize", adapterID="graphdebug")
            attached = asyncio.ensure_future(upstream.ask("attach", **_attach(configuration)))
            await asyncio.wait_for(ready.wait(), RELEASE_SECONDS)
            await upstream.ask("configurationDone")
            await attached
            await upstream.ask("disconnect", terminateDebuggee=False)
        except asyncio.TimeoutError:
            pass  # it hangs where nobody can help it
        finally:
            await upstream.close()
            await asyncio.gather(pump, return_exceptions=True)


async def _connected(configuration: dict[str, Any]) -> Upstream:
    place = configuration["connect"]
    return await Upstream.connect(place["host"], place["port"])


def _attach(configuration: dict[str, Any]) -> dict[str, Any]:
    """The arguments of ``attach`` in what debugpy tells; the launcher has the output already."""
    return {**configuration, "redirectOutput": False}
