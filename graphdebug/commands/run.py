"""``graphdebug run``: a program, with its steps live in the terminal."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shlex
import shutil
import sys
import time
from typing import IO, Any

from rich.console import Console

from graphdebug.commands.errors import CommandError
from graphdebug.commands.listening import Listening, attachable
from graphdebug.commands.program import end_like, run_observed
from graphdebug.commands.table import Footer, StepTable, standard_error
from graphdebug.observation.job import Follower, Job
from graphdebug.observation.runtimes import Runtime
from graphdebug.protocol import runtime as messages
from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.model import Capture
from graphdebug.protocol.observers import RunningSession
from graphdebug.protocol.wire import to_wire
from graphdebug.transport.connections import complain

REDRAW_SECONDS = 0.1


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "run",
        usage="graphdebug run [--steps FILE] [--capture LEVEL] [--listen [ADDRESS]] "
        "(SCRIPT | -m MODULE | -- COMMAND) [ARGS ...]",
        help="run a program and show its steps live",
        description="Runs a program as it would run without graphdebug, and shows its steps at the "
        "bottom of the terminal. Its output and its exit code are its own.",
    )
    parser.add_argument("--steps", metavar="FILE", help="write each step as a JSON line")
    parser.add_argument(
        "--capture",
        choices=("off", "steps", "nodes", "values"),
        help="how much of each step is recorded (nodes; off where --listen is given alone)",
    )
    Listening.add(parser)
    parser.add_argument("-m", dest="module", action="store_true", help="run a module, as python -m")
    parser.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Run it; the program's exit code."""
    listening = Listening.asked(arguments)
    command = _command(arguments)
    steps = _open(arguments.steps)
    try:
        capture: Capture = arguments.capture or ("off" if listening and steps is None else "nodes")
        observation = Observation(steps, shlex.join(arguments.words), Configuration(capture))
        code = asyncio.run(observation.run(command, listening))
    finally:
        if steps is not None:
            steps.close()
    return end_like(code)


def _command(arguments: argparse.Namespace) -> list[str]:
    words: list[str] = arguments.words
    is_command = words[:1] == ["--"]
    if is_command:
        words = words[1:]
    if not words:
        arguments.parser.error("a program is needed: SCRIPT, -m MODULE or -- COMMAND")
    if arguments.module:
        return [sys.executable, "-m", *words]
    if is_command:
        if shutil.which(words[0]) is not None:
            return words
        beside = shutil.which(words[0], path=os.path.dirname(sys.executable))
        if beside is None:
            raise CommandError(f'there is no command "{words[0]}"', "check its spelling and PATH")
        return [beside, *words[1:]]  # of this environment, such as torchrun: it isn't activated
    if not os.path.exists(words[0]):
        raise CommandError(f'there is no program "{words[0]}"', "check its path")
    return [sys.executable, *words]


def _open(path: str | None) -> IO[str] | None:
    if path is None:
        return None
    try:
        return open(path, "w", encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f'can\'t write "{path}": {error.strerror}', "name another file with --steps"
        ) from None


class Observation(Follower):
    """What is seen of a program: the table, and the file of its steps."""

    def __init__(self, file: IO[str] | None, program: str, configuration: Configuration) -> None:
        self._file = file
        self._program = program
        self._configuration = configuration
        self._table = StepTable()
        self._job = Job(configuration)
        self._job.followers.append(self)

    async def run(self, command: list[str], listening: Listening | None) -> int:
        """Run to the program's end; its return code."""
        try:
            return await self._run(command, await self._open(listening), listening)
        finally:
            await self._job.close()

    async def _open(self, listening: Listening | None) -> RunningSession:
        session = RunningSession(
            "", "", os.getpid(), "run", self._program, os.getcwd(), time.time()
        )
        try:
            if listening is None:
                session, _ = await self._job.open(session)
                self._job.publish(session)
            else:
                session = await listening.open(self._job, session)
        except OSError as error:
            if listening is not None:
                raise CommandError(*listening.explained(error)) from None
            complain(f"language servers can't find this program: {error}")
        return session

    async def _run(
        self, command: list[str], session: RunningSession, listening: Listening | None
    ) -> int:
        invitation = self._job.runtimes.invitation(self._configuration, explain=True)
        if listening is not None:
            invitation = attachable(invitation, session, listening.wait)
        stream = standard_error()
        if self._configuration.capture == "off" or not Footer.fits(stream):
            try:
                return await run_observed(command, self._job.runtimes, invitation)
            finally:
                self._say_alerts(stream)
        footer = Footer(stream)
        drawing = asyncio.ensure_future(self._draw(footer))
        try:
            return await run_observed(command, self._job.runtimes, invitation)
        finally:
            drawing.cancel()
            footer.close()
            if self._table.backends:
                Console(file=stream).print(self._table.render())
            self._say_alerts(stream)

    def _say_alerts(self, stream: IO[str]) -> None:
        """Say what the user should know, a line each, below the program's own output."""
        for alert in self._table.alerts:
            source = alert.source
            place = "" if source is None else f" {source.path}:{source.line}:"
            with contextlib.suppress(OSError, ValueError):  # nobody may read it any more
                print(f"graphdebug:{place} {alert.kind}: {alert.message}", file=stream, flush=True)

    async def _draw(self, footer: Footer) -> None:
        while True:
            if self._table.backends:
                footer.draw(self._table.render())
            await asyncio.sleep(REDRAW_SECONDS)

    def received(self, runtime: Runtime, event: Any) -> None:
        if isinstance(event, messages.StepEvent):
            self._table.add(event.step)
            if self._file is not None:
                print(json.dumps(to_wire(event.step)), file=self._file, flush=True)
        elif isinstance(event, messages.AlertEvent):
            self._table.alerts.append(event.alert)
        elif isinstance(event, messages.BackendEvent):
            self._table.backends[event.backend.name] = event.backend
        elif isinstance(event, messages.DroppedEvent):
            self._table.dropped = self._job.answers.dropped
