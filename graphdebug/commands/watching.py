"""``graphdebug attach`` in a terminal: each rank's steps, live, and keys to pause the job."""

from __future__ import annotations

import contextlib
import os
import select
import statistics
import sys
import time
from collections import deque
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from graphdebug.commands.controlling import Control
from graphdebug.commands.finding import Target
from graphdebug.commands.ps import ranks
from graphdebug.commands.table import duration
from graphdebug.protocol.hub import JOB, JobRank, JobResponse
from graphdebug.protocol.model import Alert, Capture, Step
from graphdebug.protocol.observers import END
from graphdebug.protocol.wire import from_wire
from graphdebug.transport.dap import Client, Disconnected

LOOK_SECONDS = 0.5
"""How often the job is asked how it stands."""

NEWEST = 64
"""Steps of each rank from which its time is told: the median."""

SLOW = 1.2
"""A rank whose steps take so many times the median of all ranks is a straggler."""

BEHIND = 2
"""A rank that is so many steps behind the first is a straggler."""

KEYS = "p pause · c continue · n break on NaN · q quit"


def watch(target: Target, capture: Capture) -> int:
    """Until the job ends, or the user leaves; the exit code."""
    client = target.observe(capture, timeout=10.0)
    view = View(client)
    try:
        if sys.stdin.isatty() and sys.stdout.isatty():
            _live(view, Control(target))
        else:
            _lines(view)
    except KeyboardInterrupt:
        pass  # leaving does no harm
    except (Disconnected, TimeoutError):
        print("the job has ended")
    finally:
        client.close()
    return 0


class View:
    """What is known of the job, brought up to date by ``look``."""

    def __init__(self, client: Client) -> None:
        self.job: JobResponse | None = None
        self.alerts: deque[Alert] = deque(maxlen=5)
        self.ended = False
        self._client = client
        self._known = 0
        self._steps: dict[tuple[int, int], deque[Step]] = {}
        self._alerts = 0

    def look(self) -> list[Alert]:
        """Ask; the alerts that are new. Raises what ``Client.request`` does."""
        self.job = from_wire(JobResponse, self._client.request(JOB))
        total = self._client.request("graphdebugSteps", end=0)["total"]
        begin = max(self._known, total - NEWEST * max(1, len(self.job.ranks)))
        body = self._client.request("graphdebugSteps", begin=begin, end=total)
        self._known = total
        for item in body["steps"]:
            step = from_wire(Step, item)
            newest = self._steps.setdefault((step.rank, step.pid), deque(maxlen=NEWEST))
            newest.append(step)
        self.ended = bool(self._client.pending_events(END))
        return self._new_alerts()

    def _new_alerts(self) -> list[Alert]:
        come = []
        for body in self._client.pending_events("graphdebugAlert"):
            self._client.wait_for_event("graphdebugAlert", timeout=0)
            come.append(from_wire(Alert, body["alert"]))
        for _ in self._client.pending_events("graphdebugStep"):
            self._client.wait_for_event("graphdebugStep", timeout=0)
        self._alerts += len(come)
        self.alerts.extend(come)
        return come

    def rows(self) -> Iterator[tuple[str, ...]]:
        """A row for each rank that is here."""
        here = [] if self.job is None else ranks(self.job)
        times = [self._time(rank) for rank in here]
        hosts = {rank.host for rank in here}
        for rank, mine in zip(here, times, strict=True):
            last = self._last(rank)
            yield (
                str(rank.process.rank),
                f"{rank.host} {rank.process.pid}" if len(hosts) > 1 else str(rank.process.pid),
                f"{rank.steps:,}",
                duration(int(mine)) if mine else "",
                _nodes(last),
                " ".join((last.devices if last else ()) or rank.devices) or "cpu",
                _memory(rank),
                self._straggles(rank, mine, here, times),
            )

    def _last(self, rank: JobRank) -> Step | None:
        newest = self._steps.get((rank.process.rank, rank.process.pid))
        return newest[-1] if newest else None

    def _time(self, rank: JobRank) -> float:
        newest = self._steps.get((rank.process.rank, rank.process.pid), ())
        return statistics.median(step.duration_ns for step in newest) if newest else 0.0

    def _straggles(
        self, rank: JobRank, mine: float, here: list[JobRank], times: list[float]
    ) -> str:
        first = max(item.steps for item in here)
        if first - rank.steps >= BEHIND:
            return f"{first - rank.steps:,} steps behind"
        usual = statistics.median(times)
        if len(here) > 1 and usual and mine > SLOW * usual:
            return f"{mine / usual:.1f} times as slow"
        return ""

    @property
    def summary(self) -> str:
        """What is run, who looks."""
        if self.job is None:
            return ""
        clients = len(self.job.clients)
        parts = [self.job.program, f"pid {self.job.pid}", f"{clients} client{'s' * (clients != 1)}"]
        return " · ".join([*parts, *([f"{self._alerts} alerts"] if self._alerts else [])])


COLUMNS = ("rank", "pid", "step", "time", "nodes", "devices", "memory", "")


def _nodes(step: Step | None) -> str:
    """Forward and backward; nothing where they aren't recorded."""
    if step is None or not step.forward_nodes + step.backward_nodes:
        return ""
    return f"{step.forward_nodes} + {step.backward_nodes}"


def _memory(rank: JobRank) -> str:
    return " ".join(f"{item.device} {_size(item.bytes)}" for item in rank.memory)


def _size(number: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.3g} {unit}" if number < 1000 else f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.3g} GiB"


def _lines(view: View) -> None:
    """For a pipe: a line for each rank whose steps went on, once a second; alerts as they come."""
    said: dict[str, str] = {}
    while True:
        for alert in view.look():
            print(f"{alert.kind}: {alert.message}", flush=True)
        for row in view.rows():
            if said.get(row[1]) != row[2]:
                said[row[1]] = row[2]
                print(
                    " · ".join(f"{name} {cell}".strip()
                               for name, cell in zip(COLUMNS, row, strict=True) if cell),
                    flush=True,
                )  # fmt: skip
        if view.ended:
            print("the job has ended", flush=True)
            return
        time.sleep(2 * LOOK_SECONDS)


def _live(view: View, control: Control) -> None:
    console = Console()
    live = Live(console=console, auto_refresh=False, transient=False)
    with contextlib.closing(control), _keys() as keys, live:
        while not view.ended:
            view.look()
            live.update(_picture(view, control), refresh=True)
            key = keys(LOOK_SECONDS)
            if key == "q":
                return
            if key:
                control.press(key)
                live.update(_picture(view, control), refresh=True)


def _picture(view: View, control: Control) -> RenderableType:
    table = Table(box=None, padding=(0, 1))
    for name in COLUMNS:
        right = name in ("rank", "pid", "step", "time", "nodes")
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    for row in view.rows():
        table.add_row(*map(Text, row))
    alerts = [Text(f"{alert.kind}: {alert.message}", "yellow") for alert in view.alerts]
    stops = [Text(line, "bold") for line in control.lines]
    return Group(Text(view.summary, "italic"), table, *alerts, *stops, Text(KEYS, "dim"))


@contextlib.contextmanager
def _keys() -> Iterator[KeyReader]:
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield KeyReader(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


class KeyReader:
    """Reads single keys from a terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __call__(self, seconds: float) -> str:
        """The key that is pressed within so many seconds, or an empty string; ``q`` at the end."""
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if not ready:
            return ""
        return os.read(self._descriptor, 1).decode(errors="replace") or "q"
