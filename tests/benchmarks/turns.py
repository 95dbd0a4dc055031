"""Contenders that take turns: the shared part of what measures the cost of a training step.

All contenders are processes that stand ready beside each other. In each round every one runs a block of
as many steps, in turn, so that a ratio is one of blocks made within seconds; each round has an order of
its own. The losses of all that must change nothing have to be the same to the bit.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from support.dap import Session
from support.jobs import Job
from support.markers import line
from support.observer import Observation

from graphdebug.protocol.dap import Configuration

PROGRAMS = Path(__file__).resolve().parent / "programs"
T = TypeVar("T")
BARE, AGAIN = "bare", "control: bare again"
BLOCK_SECONDS = 0.12
"""CPU time of a block of the bare program."""
UNCOUNTED = 1
"""Rounds at the beginning that aren't counted."""
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2"}


@dataclass(frozen=True)
class Contender:
    """One way to run the program."""

    name: str
    configuration: Configuration | None = None
    """Of graphdebug; None where it doesn't observe."""
    tier: str = "python"
    """Of the torch backend; without meaning elsewhere."""
    client: bool = True
    """Whether what is observed is streamed to a client, or that has gone."""
    adapter: str = ""
    """The debugger that runs it, with a breakpoint in its file that isn't reached."""
    attachable: bool = False
    """Whether ``graphdebug run --listen`` runs it, and nobody comes."""
    peer: str = ""
    """What the program itself puts around its steps."""
    every: int = 1
    """In which rounds it takes part: the slow ones don't in all."""
    filters: tuple[str, ...] = ()
    """Exception filters that are on."""

    @property
    def alike(self) -> bool:
        """Whether its losses have to be those of the bare program."""
        return not self.peer and self.every == 1


class Block(NamedTuple):
    """What a block of steps took, a step, in seconds; and the bytes that the process holds after it."""

    cpu: float
    wall: float
    held: int


Blocks = dict[str, dict[int, Block]]
"""Of one workload: contender to round to block."""


class Running:
    """A contender, ready to run steps once ``connect`` has returned."""

    def __init__(self, contender: Contender, program: Path, directory: Path) -> None:
        self.contender = contender
        self.tier, self.reason = "", ""
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._session: Session | None = None
        self._job: Job | None = None
        self._listener = Listener(str(directory / "socket"), "AF_UNIX")
        self._link: Connection
        self._start(program, [str(directory / "socket"), contender.peer])

    def _start(self, program: Path, arguments: list[str]) -> None:
        contender = self.contender
        environment = {**QUIET, "GRAPHDEBUG_TORCH_TIER": contender.tier}
        if contender.adapter:
            self._session = Session(contender.adapter, environment=environment, timeout=300)
            elsewhere = {str(program): [line(program, "elsewhere")]}
            self._session.launch(program=str(program), args=arguments, breakpoints=elsewhere)
        elif contender.attachable:
            self._job = Job("--listen", str(program), *arguments, **environment)
        elif contender.configuration is not None:
            self._thread = threading.Thread(
                target=_Client, args=(self, program, *arguments), daemon=True,
                kwargs={
                    "configuration": contender.configuration, "filters": contender.filters,
                    "env": environment, "timeout": 3600,
                },
            )  # fmt: skip
            self._thread.start()
        else:
            self._process = subprocess.Popen(
                [sys.executable, str(program), *arguments],
                env={**os.environ, **environment},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def connect(self) -> None:
        """Wait until it can run steps."""
        self._link = self._listener.accept()

    @property
    def absent(self) -> str:
        """Why it isn't what it is called; nothing where it is."""
        if self.contender.tier == "native" and self.tier == "python":
            return self.reason or "the Python tier runs"
        return ""

    def run(self, workload: str, steps: int) -> tuple[Block, str] | None:
        """What a block took, and the loss after it; None where the program can't do that."""
        answer = self.ask(workload, steps)
        return None if answer is None else (Block(*answer[:3]), answer[3])

    def ask(self, workload: str, steps: int) -> Any:
        """What the program answers after a block; None where it can't do that."""
        self._link.send((workload, steps))
        return self._link.recv()

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):  # it ended; what came of it tells more
            self._link.send(None)
        self._link.close()
        self._listener.close()
        if self._process is not None:
            self._process.wait(60)
        if self._session is not None:
            self._session.wait_for_exit()
            self._session.close()
        if self._job is not None:
            self._job.process.wait(60)
            self._job.end()
        if self._thread is not None:
            self._thread.join()


class _Client(Observation):
    """Reads all that is streamed, and keeps nothing; or hangs up after the first step."""

    def __init__(self, running: Running, program: Path, *args: str, **options: Any) -> None:
        self._running = running
        super().__init__(program, *args, **options)

    def _reaction(self, name: str, event: Any) -> dict[str, Any] | None:
        self.events.clear()
        if name == "backend":
            self._running.tier = event.backend.tier
            self._running.reason = event.backend.tier_reason
        if name == "step" and not self._running.contender.client:
            raise ConnectionError
        return super()._reaction(name, event)

    def _listen(self, connection: Any) -> None:
        try:
            super()._listen(connection)
        finally:
            if not self._running.contender.client:
                self._errors.clear()
            connection.close()


@contextlib.contextmanager
def standing(contenders: Sequence[Contender], program: Path) -> Iterator[list[Running]]:
    """All of them, side by side."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))  # sessions print what passed
        started = []
        for contender in contenders:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            started.append(Running(contender, program, directory))
        for running in started:
            running.connect()
            stack.callback(running.close)
        yield started


def in_turn(contenders: Sequence[T], number: int) -> list[T]:
    """The order of a round: the same one before would leave caches and clocks the same way every time."""
    return random.Random(number).sample(contenders, len(contenders))


def block_size(bare: Running, workload: str) -> int:
    """Steps of a block; all run as many, so that their losses can be compared."""
    bare.run(workload, 1)
    found = bare.run(workload, 2)
    assert found is not None
    return max(2, round(BLOCK_SECONDS / found[0].cpu))


def measure(started: Sequence[Running], workload: str, rounds: int, seconds: float) -> Blocks:
    """Blocks of as many rounds as there is time for, at least three."""
    found: Blocks = {}
    until = time.monotonic() + seconds
    steps = block_size(started[0], workload)
    for running in started[1:]:  # the same that the first has run
        running.run(workload, 1)
        running.run(workload, 2)
    for number in range(UNCOUNTED + rounds):
        if number >= UNCOUNTED + 3 and time.monotonic() > until:
            break
        losses = {}
        for running in in_turn(started, number):
            contender = running.contender
            if running.absent or (number - UNCOUNTED) % contender.every:
                continue
            answer = running.run(workload, steps)
            if answer is None:
                continue
            if contender.alike:
                losses[contender.name] = answer[1]
            if number >= UNCOUNTED:
                found.setdefault(contender.name, {})[number] = answer[0]
        assert len(set(losses.values())) == 1, f"the losses differ: {losses}"
    return found


def bare_mean(blocks: Blocks, what: str) -> dict[int, float]:
    """CPU or wall seconds of the bare programs in each round."""
    one, other = blocks[BARE], blocks[AGAIN]
    return {at: (getattr(one[at], what) + getattr(other[at], what)) / 2 for at in one}


def ratios(blocks: Blocks, name: str, what: str = "cpu") -> list[float]:
    """Of a contender's blocks to the bare ones of the same round; of the control to the other bare one."""
    bare = (
        {at: float(getattr(block, what)) for at, block in blocks[BARE].items()}
        if name == AGAIN
        else bare_mean(blocks, what)
    )
    return [getattr(block, what) / bare[at] for at, block in blocks.get(name, {}).items()]


def spread(values: Sequence[float]) -> str:
    """Median and quartiles; nothing where there are no values."""
    if len(values) < 2:
        return f"{values[0]:.2f}" if values else "–"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def table(title: str, rows: Mapping[str, Sequence[str]], columns: Sequence[str]) -> str:
    """Markdown: a row for each name."""
    lines = [f"| {' | '.join([title, *columns])} |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {' | '.join([name, *cells])} |" for name, cells in rows.items()]
    return "\n".join(lines) + "\n"


def conditions(before: float) -> str:
    """What else the machine did: a sentence to end a result with."""
    return f"{os.cpu_count()} cores, load {before:.1f} before and {os.getloadavg()[0]:.1f} after."
