"""What a person waits for at a stop: graphdebug beside plain debugpy.

``python tests/benchmarks/latencies.py [--rounds N] [--output DIRECTORY]`` holds a program under both,
and under a second plain debugpy as the control, and asks each in turn. Writes ``latencies.md`` and
``latencies.json``. Wall time as the client sees it, since a person waits; medians of all rounds, with
the quartiles of the ratios of rounds made side by side. ``cold_start.py`` has the time to a first stop.

Each is asked for after a pause, as by a person, since debugpy is slow where it is asked again within
some 40 ms: it waits for the acknowledgement of what it answered before.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from support.dap import Session  # noqa: E402
from support.markers import line  # noqa: E402

PROGRAM = TESTS / "benchmarks" / "programs" / "latencies.py"
CONTENDERS = {"debugpy": "debugpy", "debugpy again": "debugpy", "graphdebug": "graphdebug"}
NEVER = "number < 0"
PAUSE = 0.1
"""Seconds."""

Seconds = dict[str, dict[str, list[float]]]
"""What was asked, to contender, to seconds."""


def go_on(session: Session) -> None:
    """Continue to the next stop."""
    session.cont()
    session.wait_for_stop()


def step(session: Session) -> None:
    """Step over a line."""
    session.request("next", threadId=session.thread)
    session.wait_for_stop()


def step_and_look(session: Session) -> None:
    """Step over a line, until the editor has all that it shows."""
    step(session)
    look(session)


def step_ten(session: Session) -> None:
    """Ten steps, as fast as they come."""
    for _ in range(10):
        step(session)


def look(session: Session) -> None:
    """What an editor asks at a stop, in a frame of 200 tensors."""
    found = session.locals(session.stack()[0])
    assert len([name for name in found if name.startswith("tensor")]) == 200


def hover(session: Session) -> None:
    """A tensor of 10⁹ elements, as under the pointer."""
    session.evaluate("large", "hover")


def open_large(session: Session) -> None:
    """The same, opened in Variables."""
    value = session.evaluate("large", "watch")
    assert session.variables(value["variablesReference"])


ASKED: dict[str, Callable[[Session], None]] = {
    "continue to the next stop": go_on,
    "step over": step,
    "ten steps over, at once": step_ten,
    "step over, stack, scopes, variables": step_and_look,
    "stack, scopes, variables of 200 tensors": look,
    "hover over a tensor of 10⁹ elements": hover,
    "open it": open_large,
}


def conditions(session: Session) -> float:
    """Seconds that 10,000 rounds take, by the program's clock, while a condition is asked in each."""
    session.cont()
    session.wait_for_stop()
    return float(session.evaluate("seconds")["result"])


CONDITIONS = "a condition, asked 10,000 times"


@contextlib.contextmanager
def sessions(mode: str):  # type: ignore[no-untyped-def]
    """One for each contender, at its first stop."""
    marks = ["counted", "condition"] if mode == "conditions" else ["stop"]
    wanted = [
        {"line": line(PROGRAM, mark), **({"condition": NEVER} if mark == "condition" else {})}
        for mark in marks
    ]
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            contextlib.redirect_stdout(io.StringIO())
        )  # a session prints what passed
        started = {}
        for name, adapter in CONTENDERS.items():
            session = stack.enter_context(Session(adapter, timeout=300))
            session.launch(program=str(PROGRAM), args=[mode], breakpoints={str(PROGRAM): wanted})
            session.wait_for_stop()
            started[name] = session
        yield started
        for session in started.values():
            session.request("disconnect", terminateDebuggee=True)


def measure(rounds: int) -> Seconds:
    """Contenders take turns; two rounds aren't counted."""
    found: Seconds = {asked: {name: [] for name in CONTENDERS} for asked in [*ASKED, CONDITIONS]}
    with sessions("tensors") as started:
        for number in range(rounds + 2):
            for asked, ask in ASKED.items():
                for name, session in started.items():
                    time.sleep(PAUSE)
                    begin = time.perf_counter()
                    ask(session)
                    seconds = time.perf_counter() - begin
                    if number >= 2:
                        found[asked][name].append(seconds)
    with sessions("conditions") as started:
        for number in range(rounds // 3 + 2):
            for name, session in started.items():
                seconds = conditions(session)
                if number >= 2:
                    found[CONDITIONS][name].append(seconds)
    return found


def ratio(some: list[float], others: list[float]) -> str:
    """The median of the ratios of rounds, with the quartiles."""
    low, middle, high = statistics.quantiles(
        [one / other for one, other in zip(some, others, strict=True)], n=4
    )
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def table(found: Seconds) -> str:
    """The results in Markdown."""
    rows = [
        "| | debugpy | graphdebug | ratio | control (debugpy / debugpy) |",
        "|---|---|---|---|---|",
    ]
    for asked, seconds in found.items():
        plain, again, ours = (seconds[name] for name in CONTENDERS)
        rows.append(
            f"| {asked} | {statistics.median(plain) * 1e3:.1f} ms "
            f"| {statistics.median(ours) * 1e3:.1f} ms | {ratio(ours, plain)} | {ratio(again, plain)} |"
        )
    return "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--output", type=Path, default=TESTS / "benchmarks" / "results")
    arguments = parser.parse_args()
    found = measure(arguments.rounds)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "latencies.json").write_text(json.dumps(found, indent=1) + "\n")
    text = table(found)
    (arguments.output / "latencies.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
