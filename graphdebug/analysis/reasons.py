"""The sentences that tell a person what a breakpoint does, and the bindings that carry them.

Imported by ``analysis`` alone.
"""

from __future__ import annotations

from dataclasses import replace

from graphdebug.analysis.apis import COMPILE, CONSTRUCTS, FIT, FUNCTION
from graphdebug.analysis.binding import Binding
from graphdebug.analysis.contexts import SESSION, Mark
from graphdebug.analysis.switches import GRAPH_MODE, Switches

_OPENING = {construct.name for construct in CONSTRUCTS.values() if construct.opens}

EACH_TIME = "stops each time this line runs"

NO_CODE = "no line up to here holds code"
UNKNOWN = "what it does can't be told, because this part of the file does not parse"

_SWITCHED = {"tf.function": FUNCTION, "torch.compile": COMPILE, FIT: FIT}


def line(at: int, function: str, reason: str = EACH_TIME, construct: str = "") -> Binding:
    """Python stops there as in any program."""
    return Binding("line", reason, at, construct, function)


def never(at: int, function: str, reason: str, construct: str = "") -> Binding:
    """Nothing stops there."""
    return Binding("never", reason, at, construct, function, builds=False)


def defined(name: str) -> str:
    """The reason for the line of a ``def`` or ``class``."""
    return f"stops when {name} is defined, not when it is called"


def shared(binding: Binding) -> Binding:
    """For a line that also holds plain code, such as the call that a lambda is given to."""
    reason = f"{binding.reason}; the rest of this line stops each time it runs"
    return replace(binding, reason=reason, builds=True)


def moved(binding: Binding, wanted: int, landing: int) -> Binding:
    """For a breakpoint that debugpy puts on another line than was asked for."""
    reason = (
        f"line {wanted} holds no code that can run, so this is on line {landing}: {binding.reason}"
    )
    return replace(binding, reason=reason)


def of_marks(marks: list[Mark], at: int, function: str, switches: Switches) -> Binding:
    """What a breakpoint does in code that runs in all the ways ``marks``."""
    graphs = [mark for mark in marks if mark.runs]
    if graphs:
        return _boundary(graphs, marks, at, function, switches)
    if any(mark.plain for mark in marks):
        return line(at, function)
    for mark in marks:
        if mark.threaded:
            return line(at, function, _threaded(mark), mark.construct)
        return never(at, function, _copied(mark), mark.construct)
    return line(at, function)


def _boundary(
    graphs: list[Mark], marks: list[Mark], at: int, function: str, switches: Switches
) -> Binding:
    built = [mark for mark in graphs if mark.code == "own"]
    shown = (built or graphs)[0]
    reason = _SENTENCES[shown.code](shown)
    if any(mark.plain for mark in marks):
        reason += "; where it runs as plain Python as well, it stops each time"
    reason += switches.unless(_SWITCHED.get(shown.construct, ""))
    builds = bool(built) or any(mark.plain for mark in marks)
    session = all(mark.runs == SESSION and mark.construct not in _OPENING for mark in graphs)
    return Binding("boundary", reason, at, shown.construct, function, session, builds)


def _built(mark: Mark) -> str:
    values = "" if mark.construct.startswith(("torch", "make_fx")) else ", with symbolic tensors,"
    return (
        f"builds nodes of the static graph: {_part(mark)}; it stops here while the graph is built"
        f"{values} and {_runs(mark)} when the graph runs"
    )


def _part(mark: Mark) -> str:
    """How the code comes to be part of the graph."""
    where = f"{mark.construct} (line {mark.line})"
    if mark.by_line:
        mode = mark.construct == GRAPH_MODE
        return f"graph mode, from {where}" if mode else f"under {where}"
    if mark.direct:
        return f"{_subject(mark)} is given to {where}"
    return f"called by {_subject(mark)}, which is given to {where}"


def _converted(mark: Mark) -> str:
    return (
        f"{_of(mark)}: AutoGraph runs a copy of this line, so it never stops here itself, "
        f"but {_runs(mark)}"
    )


def _compiled(mark: Mark) -> str:
    breaks = "; here only where the compiler breaks the graph"
    return (
        f"{_of(mark)}: compiled code runs in place of this line, so it stops {_runs(mark)}"
        f"{breaks if mark.construct == 'torch.compile' else ''}"
    )


_SENTENCES = {"own": _built, "autograph": _converted, "compiled": _compiled}


def _of(mark: Mark) -> str:
    return f"part of the graph that {mark.construct} (line {mark.line}) makes of {_subject(mark)}"


def _subject(mark: Mark) -> str:
    return "the lambda" if mark.subject == "<lambda>" else mark.subject


def _runs(mark: Mark) -> str:
    return mark.runs.replace("<lambda>", "the lambda")


def _threaded(mark: Mark) -> str:
    return (
        f"{mark.construct} (line {mark.line}) runs {_subject(mark)} as Python in a thread of the "
        "framework's own: before Python 3.12 it stops here only after "
        "debugpy.debug_this_thread() was called in that thread"
    )


def _copied(mark: Mark) -> str:
    return (
        f"{mark.construct} (line {mark.line}) runs a copy of {_subject(mark)} that AutoGraph made, "
        "in eager TensorFlow too; decorated with "
        "tf.autograph.experimental.do_not_convert it would stop here each time"
    )
