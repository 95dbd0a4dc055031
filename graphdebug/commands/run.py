"""``graphdebug run``: a program, with its steps live in the terminal."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import shutil
import sys
import time
from typing import IO, Any

from rich.console import Console

from graphdebug.commands.errors import CommandError
from graphdebug.commands.program import end_like, run_observed
from graphdebug.commands.table import Footer, StepTable, standard_error
from graphdebug.observation.answers import Answers
from graphdebug.observation.observers import Observers
from graphdebug.observation.runtimes import Observer, Runtime, Runtimes
from graphdebug.observation.step_events import StepEvents
from graphdebug.observation.steps import Steps
from graphdebug.protocol import runtime as messages
from graphdebug.protocol.dap import Configuration, GraphdebugAlertEvent
from graphdebug.protocol.wire import to_wire
from graphdebug.transport.connections import complain

REDRAW_SECONDS = 0.1


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "run",
        usage="graphdebug run [--steps FILE] [--capture LEVEL] "
        "(SCRIPT | -m MODULE | -- COMMAND) [ARGS ...]",
        help="run a program and show its steps live",
        description="Runs a program as it would run without graphdebug, and shows its steps at the "
        "bottom of the terminal. Its output and its exit code are its own.",
    )
    parser.add_argument("--steps", metavar="FILE", help="write each step as a JSON line")
    parser.add_argument(
        "--capture",
        choices=("off", "steps", "nodes", "values"),
        default="nodes",
        help="how much of each step is recorded (nodes)",
    )
    parser.add_argument("-m", dest="module", action="store_true", help="run a module, as python -m")
    parser.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Run it; the program's exit code."""
    command = _command(arguments)
    steps = _open(arguments.steps)
    try:
        observation = Observation(steps, shlex.join(arguments.words))
        code = asyncio.run(observation.run(command, Configuration(capture=arguments.capture)))
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
        if shutil.which(words[0]) is None:
            raise CommandError(f'there is no command "{words[0]}"', "check its spelling and PATH")
        return words
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


class Observation(Observer):
    """What is seen of a program: the table, and the file of its steps."""

    def __init__(self, file: IO[str] | None, program: str) -> None:
        self._file = file
        self._program = program
        self._steps = Steps()
        self._table = StepTable()
        self._runtimes = Runtimes(self)
        self._configuration = Configuration()
        answers = Answers(self._steps, self._runtimes, lambda: self._configuration.capture)
        self._observers = Observers(answers)
        self._step_events = StepEvents(self._observers.tell)

    async def run(self, command: list[str], configuration: Configuration) -> int:
        """Run to the program's end; its return code."""
        self._configuration = configuration
        try:
            await self._observers.open("run", os.getpid(), self._program, os.getcwd(), time.time())
        except OSError as error:
            complain(f"language servers can't find this program: {error}")
        try:
            return await self._run(command, configuration)
        finally:
            self._step_events.flush()
            await self._observers.close()

    async def _run(self, command: list[str], configuration: Configuration) -> int:
        stream = standard_error()
        if not Footer.fits(stream):
            return await run_observed(command, self._runtimes, configuration)
        footer = Footer(stream)
        drawing = asyncio.ensure_future(self._draw(footer))
        try:
            return await run_observed(command, self._runtimes, configuration)
        finally:
            drawing.cancel()
            footer.close()
            if self._table.backends:
                Console(file=stream).print(self._table.render())

    async def _draw(self, footer: Footer) -> None:
        while True:
            if self._table.backends:
                footer.draw(self._table.render())
            await asyncio.sleep(REDRAW_SECONDS)

    def configuration(self) -> messages.ConfigureArguments:
        return messages.ConfigureArguments(self._configuration)

    def received(self, runtime: Runtime, event: Any) -> None:
        if isinstance(event, messages.GraphEvent):
            self._steps.add_graph(runtime.number, event)
        elif isinstance(event, messages.StepEvent):
            step = self._steps.add(runtime.number, event.step, event.graph)
            self._step_events.add(step)
            self._table.add(step)
            if self._file is not None:
                print(json.dumps(to_wire(step)), file=self._file, flush=True)
        elif isinstance(event, messages.AlertEvent):
            alert = self._steps.add_alert(runtime.number, event.alert)
            self._table.alerts.append(alert)
            self._observers.tell("graphdebugAlert", to_wire(GraphdebugAlertEvent(alert)))
        elif isinstance(event, messages.BackendEvent):
            self._table.backends[event.backend.name] = event.backend
        elif isinstance(event, messages.DroppedEvent):
            self._table.dropped = sum(item.dropped for item in self._runtimes.all)
