"""Long series of stops inside of running graphs, and of clients that leave in the middle of one."""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path

from support.dap import Session
from support.live import ENVIRONMENT, INSIDE, bare, ended
from support.markers import line, program

LONG = program("live_long.py")
ADD, SCALE = line(LONG, "add"), line(LONG, "scale")


def result(args: list[str], directory: Path) -> str:
    """What the program comes to without a debugger."""
    path = directory / "-".join(args)
    if not path.exists():
        bare(LONG, *args, str(path))
    return path.read_text()


def launched(args: list[str], out: Path, temporary: Path) -> Session:
    """A session that runs the program, with breakpoints on two lines of its loop."""
    session = Session(
        "graphdebug", timeout=120, environment={**ENVIRONMENT, "TMPDIR": str(temporary)}
    )
    session.launch(
        program=LONG, args=[*args, str(out)], staticGraphs="node", breakpoints={LONG: [ADD, SCALE]}
    )
    return session


def many_stops(count: int, directory: Path) -> str:
    """Stop ``count`` times, now and then by a step; what that took."""
    args = ["v2", str(count), "1"]
    chance = random.Random(count)
    seconds = []
    with launched(args, directory / "many", directory) as session:
        while len(seconds) < count and (stop := session.next_stop()) is not None:
            inside = stop.get("description") == INSIDE
            began = time.perf_counter()
            if inside and chance.random() < 0.2:
                session.request(chance.choice(["next", "stepIn"]), threadId=session.thread)
            else:
                session.cont()
            session._wait_for_stop_or_end()
            if inside:
                seconds.append(time.perf_counter() - began)
        session.set_breakpoints(LONG, [])
        while session.stops_again():
            session.cont()
    assert len(seconds) == count, f"{len(seconds)} stops"
    assert (directory / "many").read_text() == result(args, directory), "another result"
    return f"{count} stops, {statistics.median(seconds) * 1e3:.1f} ms from one to the next (median)"


def one_detach(number: int, directory: Path) -> float:
    """Leave after some stops, at one or while the graph runs; seconds until the program's end."""
    chance = random.Random(number)
    args = [chance.choice(["v1", "v2"]), "15", "2"]
    out = directory / f"detach-{number}"
    session = launched(args, out, directory)
    try:
        pid = session.client.wait_for_event("process")["systemProcessId"]
        for _ in range(chance.randrange(1, 50)):
            session.wait_for_stop()
            if chance.random() < 0.2:
                session.request("next", threadId=session.thread)
            else:
                session.cont()
        if chance.random() < 0.5:
            session.wait_for_stop()
        began = time.perf_counter()
        session.request("disconnect", terminateDebuggee=False)
        assert ended(pid), f"detach {number}: the program hangs"
        seconds = time.perf_counter() - began
    finally:
        session.close()
    assert out.read_text() == result(args, directory), f"detach {number}: another result"
    return seconds
