"""``graphdebug demo``: the same while loop in PyTorch and in TensorFlow, under the real debugger."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax
from rich.table import Table

from graphdebug.adapter.references import tensor_text
from graphdebug.commands.errors import CommandError
from graphdebug.protocol.model import Node
from graphdebug.protocol.wire import from_wire
from graphdebug.transport.dap import Client, RequestFailed

PROGRAMS = Path(__file__).parent / "programs"
START_SECONDS = 120.0
"""A framework's first import on a slow disk takes long."""


@dataclass
class Loop:
    """One half of the comparison."""

    title: str
    module: str
    file: str
    statement: str
    result: dict[str, int] = field(default_factory=dict)
    binding: str = ""

    directory: Path = PROGRAMS

    @property
    def path(self) -> str:
        return str(self.directory / self.file)

    @property
    def line(self) -> int:
        """The line of the statement that gets the breakpoint."""
        lines = Path(self.path).read_text().splitlines()
        return next(n for n, text in enumerate(lines, 1) if text.strip() == self.statement)


TORCH = Loop("PyTorch", "torch", "torch_loop.py", "first_counter += 2")
TENSORFLOW = Loop(
    "TensorFlow", "tensorflow", "tensorflow_loop.py", "first_counter = tf.add(first_counter, 2)"
)


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "demo",
        help="one loop in PyTorch and in TensorFlow, under the debugger",
        description="Runs the same while loop in PyTorch and in TensorFlow under the debugger, with "
        "a breakpoint in the loop's body, and compares what stopped where.",
    )
    parser.add_argument("--torch", action="store_true", help="only PyTorch's half")
    parser.add_argument("--tensorflow", action="store_true", help="only TensorFlow's half")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run it; 0 where at least one half could be shown."""
    wanted = [TORCH] if arguments.torch else []
    wanted += [TENSORFLOW] if arguments.tensorflow else []
    show(Console(highlight=False), wanted or [TORCH, TENSORFLOW])
    return 0


def show(console: Console, loops: Sequence[Loop]) -> None:
    """Show each loop whose framework is installed, and the comparison."""
    with tempfile.TemporaryDirectory(prefix="graphdebug-demo-") as directory:
        # The debugger passes over files of installed packages, as these would be.
        copies = shutil.copytree(PROGRAMS, Path(directory) / "programs")
        shown = _show([replace(loop, directory=copies) for loop in loops], console)
    if not shown:
        raise CommandError(
            "neither PyTorch nor TensorFlow is installed here",
            "pip install 'graphdebug[demo]' brings both",
        )
    console.print(_comparison(shown))


def _show(loops: Sequence[Loop], console: Console) -> list[Loop]:
    shown = []
    for loop in loops:
        if find_spec(loop.module) is None:
            console.print(f"[yellow]{loop.title} isn't installed here: its half is left out.[/]")
        else:
            Show(console, loop).run()
            shown.append(loop)
    return shown


class Show:
    """One program under the adapter, told as it happens."""

    def __init__(self, console: Console, loop: Loop) -> None:
        self._console = console
        self._loop = loop

    def run(self) -> None:
        """Debug the program to its end."""
        process = subprocess.Popen(
            [sys.executable, "-m", "graphdebug", "adapter"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        client = Client.of_process(process, timeout=START_SECONDS)
        try:
            self._debug(client)
            client.request("disconnect", terminateDebuggee=True)
        except (RequestFailed, TimeoutError, ConnectionError) as error:
            raise CommandError(
                f"the debugger did not run {self._loop.file}: {error}",
                "run `graphdebug run` on it to see whether the program itself runs",
            ) from None
        finally:
            client.close()
            process.wait()

    def _debug(self, client: Client) -> None:
        self._print_source()
        client.request("initialize", adapterID="graphdebug", pathFormat="path")
        launch = client.send(
            "launch", program=self._loop.path, console="internalConsole", justMyCode=True
        )
        client.wait_until(
            lambda: bool(client.pending_events("initialized")) or launch.response is not None,
            "the program to start",
        )
        if launch.response is not None:
            launch.wait()
        answer = client.request(
            "setBreakpoints",
            source={"path": self._loop.path},
            breakpoints=[{"line": self._loop.line}],
        )
        self._loop.binding = answer["breakpoints"][0]["message"]
        self._console.print(
            f"  breakpoint set; the debugger answers [bold]{escape(self._loop.binding)}[/]"
        )
        client.request("configurationDone")
        launch.wait()
        while self._wait_for_stop(client):
            stop = client.wait_for_event("stopped")
            self._tell(client, stop)
            client.request("continue", threadId=stop["threadId"])
        self._print_output(client)

    def _wait_for_stop(self, client: Client) -> bool:
        client.wait_until(
            lambda: bool(client.pending_events("stopped") or client.pending_events("terminated")),
            "a stop, or the end of the program",
        )
        return bool(client.pending_events("stopped"))

    def _print_source(self) -> None:
        loop = self._loop
        self._console.rule(f"[bold]{loop.title}[/]  {loop.file}:{loop.line}", align="left")
        first = max(1, loop.line - 2)
        self._console.print(
            Syntax.from_path(
                loop.path,
                line_numbers=True,
                line_range=(first, loop.line + 2),
                highlight_lines={loop.line},
                background_color="default",
            )
        )

    def _tell(self, client: Client, stop: dict[str, Any]) -> None:
        frame = client.request("stackTrace", threadId=stop["threadId"], levels=1)["stackFrames"][0]
        description = stop.get("description", "")
        where = f"line {frame['line']} in {frame['name']}"
        if description == "Graph boundary":
            self._count("at the session boundary")
            self._console.print(f"  [bold cyan]stop[/] {where}: {escape(stop['text'])}")
            self._tell_executions(client)
            return
        building = description == "Building graph"
        self._count("while building the graph" if building else "in the loop")
        number = sum(self._loop.result.values())
        value = self._first_counter(client, frame["id"])
        self._console.print(
            f"  [bold cyan]stop {number}[/] {where}: first_counter = {escape(value)}"
        )
        if building:
            self._console.print(f"    {escape(stop['text'])}")

    def _tell_executions(self, client: Client) -> None:
        step = client.request("graphdebugSteps")["total"] - 1
        body = client.request(
            "graphdebugNodes", step=step, path=self._loop.path, line=self._loop.line
        )
        for item in body["nodes"]:
            node = from_wire(Node, item)
            if node.outputs and node.outputs[0].value is not None:
                self._count("executions recorded")
                self._console.print(
                    f"    iteration {node.iteration}: {node.name} made {tensor_text(node.outputs[0])}"
                )

    def _first_counter(self, client: Client, frame: int) -> str:
        """As Variables shows it."""
        for scope in client.request("scopes", frameId=frame)["scopes"]:
            variables = client.request("variables", variablesReference=scope["variablesReference"])[
                "variables"
            ]
            for variable in variables:
                if variable["name"] == "first_counter":
                    return str(variable["value"])
        return "not there"

    def _count(self, where: str) -> None:
        self._loop.result[where] = self._loop.result.get(where, 0) + 1

    def _print_output(self, client: Client) -> None:
        text = "".join(
            event["output"]
            for event in client.pending_events("output")
            if event.get("category") == "stdout"
        )
        self._console.print(f"  the program printed: {escape(' '.join(text.split()))}\n")


def _comparison(loops: list[Loop]) -> Table:
    table = Table(
        show_lines=False, title="One breakpoint in the body of the same loop", title_justify="left"
    )
    for name in ("", "what stopped", "how often", "why"):
        table.add_column(name)
    for loop in loops:
        _, _, why = loop.binding.partition(": ")
        for number, (where, count) in enumerate(loop.result.items()):
            table.add_row(
                loop.title if number == 0 else "",
                where,
                str(count),
                _WHY.get(where, why),
                end_section=number == len(loop.result) - 1,
            )
    return table


_WHY = {
    "in the loop": "Python runs the loop, and the debugger sees each iteration",
    "while building the graph": "Python runs the body once to build the graph; tensors have no value",
    "at the session boundary": "Session.run runs the graph without Python: the stop comes at its line",
    "executions recorded": "what the line's node did in each iteration, with values",
}
