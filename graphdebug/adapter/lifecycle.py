"""How a session begins and ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Coroutine
from typing import Any

from graphdebug.adapter import configuration
from graphdebug.adapter.session import Session
from graphdebug.observation import injection
from graphdebug.observation.breakpoints import Breakpoints
from graphdebug.observation.runtimes import Runtimes
from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.runtime import DetachArguments
from graphdebug.transport.framing import Message

DISCONNECT_SECONDS = 5.0
"""How long debugpy may take to let the program go before it is ended without it."""

DETACH_SECONDS = 40.0
"""The same, where the program is to go on: debugpy answers when it has ended, or after 30 seconds, when
it ends a program that it launched all the same."""

BUSY_SECONDS = 0.5
"""The same, where a slow request holds debugpy's adapter up."""


class Lifecycle:
    """initialize, launch, attach, disconnect."""

    def __init__(
        self,
        session: Session,
        runtimes: Runtimes,
        breakpoints: Breakpoints,
        running: Callable[[str], Coroutine[Any, Any, None]],
        has_job: bool = False,
    ) -> None:
        """``running`` is called with the program's name once it has started.

        ``has_job``: the client attaches to a job whose runtimes are here.
        """
        self._has_job = has_job
        self._session = session
        self._runtimes = runtimes
        self._breakpoints = breakpoints
        self._running = running
        self._pid: int | None = None
        self._launched = False
        self._leaving = False
        self.just_my_code = True
        self.configuration = Configuration()
        self.cwd = os.getcwd()
        self.started = 0.0
        """When the client asked for the program, in seconds since the epoch."""

    def launch_request(self, request: Message) -> None:
        """Check what can be checked, and let the runtime travel in the environment."""
        arguments = request.get("arguments") or {}
        if self._has_job:
            return self._session.fail(
                request, 'this is a job that runs: "request" has to be "attach"'
            )
        try:
            self.configuration = configuration.parse(arguments)
            configuration.check_types(arguments)
            configuration.check_program(arguments)
        except configuration.BadConfiguration as error:
            return self._session.fail(request, str(error))
        self.just_my_code = bool(arguments.get("justMyCode", True))
        self._name_unknown(arguments)
        self.cwd = arguments.get("cwd") or self.cwd
        self.started = time.time()
        base = {**os.environ, **(arguments.get("env") or {})}
        invitation = self._runtimes.invitation(self.configuration)
        self._launched = True
        return self._session.forward(
            request,
            arguments=configuration.for_debugpy(arguments, injection.environment(invitation, base)),
        )

    def attach_request(self, request: Message) -> None:
        """debugpy attaches; the runtime is there only if the program was started with it."""
        arguments = request.get("arguments") or {}
        try:
            self.configuration = configuration.parse(arguments)
        except configuration.BadConfiguration as error:
            return self._session.fail(request, str(error))
        self.just_my_code = bool(arguments.get("justMyCode", True))
        self._name_unknown(arguments)
        self.started = time.time()
        if self._has_job:
            arguments = configuration.for_job(arguments)
        else:
            self._breakpoints.observed = False
        return self._session.forward(request, arguments=configuration.for_debugpy(arguments, {}))

    def process_event(self, event: Message) -> None:
        """Remember which process was launched."""
        if self._pid is None:
            self._session.start(self._running(str(event["body"].get("name", ""))))
        self._pid = event["body"].get("systemProcessId")
        self._session.to_client(event)

    def terminate_request(self, request: Message) -> None:
        """Pass it on; the end that comes is wanted."""
        self._leaving = True
        self._session.forward(request)

    def exited_event(self, event: Message) -> None:
        """Name the signal that ended the program: its exit code alone says little."""
        name = signal_name(event["body"].get("exitCode", 0))
        if name is not None and not self._leaving:
            self._session.output(f"the program was ended by {name}", "important")
        self._session.to_client(event)

    async def disconnect_request(self, request: Message) -> None:
        """debugpy lets the program go; where it can't, since a request hangs, we end it."""
        arguments = request.get("arguments") or {}
        self._leaving = True
        stays = arguments.get("terminateDebuggee") is False
        if stays or not (self._launched or arguments.get("terminateDebuggee")):
            await self._runtimes.tell("detach", DetachArguments())
        seconds = DETACH_SECONDS if stays else DISCONNECT_SECONDS
        if self._session.upstream.busy:
            seconds = BUSY_SECONDS
        try:
            response = await asyncio.wait_for(self._session.forwarded(request), seconds)
        except asyncio.TimeoutError:
            if self._launched and arguments.get("terminateDebuggee", True):
                self._kill()
            response = {
                "type": "response",
                "command": "disconnect",
                "request_seq": request["seq"],
                "success": True,
            }
        self._session.upstream.abandon()
        self._session.to_client(response)
        self._session.end()

    def _kill(self) -> None:
        if self._pid is not None:
            with contextlib.suppress(OSError):
                os.kill(self._pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    def _name_unknown(self, arguments: dict[str, Any]) -> None:
        for sentence in configuration.unknown(arguments):
            self._session.output(sentence)
        self._breakpoints.static_graphs = self.configuration.static_graphs


def signal_name(code: int) -> str | None:
    """The signal that an exit code stands for, as debugpy's launcher reports it: 256 less its number."""
    try:
        return signal.Signals(256 - code).name
    except ValueError:
        return None
