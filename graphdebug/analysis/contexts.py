"""In which ways the code of each function runs: as plain Python, or as part of which graph.

Imported by ``reasons`` and ``analysis``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from graphdebug.analysis.apis import Code, Construct
from graphdebug.analysis.edges import Edge, edges_of
from graphdebug.analysis.names import Names
from graphdebug.analysis.scopes import Scope
from graphdebug.analysis.switches import GraphBlock, Switches

SESSION = "at Session.run"


@dataclass(frozen=True)
class Mark:
    """One way in which code runs; without a construct as plain Python."""

    construct: str = ""
    """What makes the graph that it is part of."""
    line: int = 0
    """Where."""
    subject: str = ""
    """The function that the construct was given."""
    code: Code = "own"
    """What Python runs of the function's own lines while the graph is made."""
    runs: str = ""
    """Where the graph runs, such as ``at Session.run``; empty where there is none."""
    by_line: bool = False
    """Whether only those lines belong to the graph that build nodes of it."""
    threaded: bool = False
    """Whether it runs as plain Python in a thread of the framework's own."""
    direct: bool = True
    """Whether this is the function that the construct was given, not one that it calls."""

    @property
    def plain(self) -> bool:
        """Whether it is plain Python."""
        return not self.construct


PLAIN = Mark()


def block_mark(block: GraphBlock) -> Mark:
    """The way in which code under a graph runs."""
    return Mark(block.construct, block.line, runs=SESSION, by_line=True)


class Contexts:
    """The marks of every scope of one file."""

    def __init__(self, names: Names, switches: Switches) -> None:
        self._switches = switches
        self._root = block_mark(switches.graph) if switches.graph else PLAIN
        self._edges = edges_of(names, switches)
        self._closed = self._edges.sealed | self._edges.plain
        self._marks: dict[Scope, dict[tuple[object, ...], Mark]] = {}
        self._out: dict[Scope, list[Edge]] = {}
        for edge in self._edges.all:
            self._out.setdefault(_runner(edge.caller), []).append(edge)
        self._flow(names)

    def at(self, scope: Scope, line: int) -> list[Mark]:
        """The ways in which ``line``, a line of ``scope``, runs."""
        scope = _runner(scope)
        for block in self._switches.blocks.get(scope, ()):
            if block.first <= line <= block.last:
                return [block_mark(block)]
        return list(self._marks.get(scope, {}).values())

    @property
    def sealed(self) -> set[Scope]:
        """Functions whose name stands for what a framework made of them."""
        return self._edges.sealed

    def of(self, scope: Scope) -> list[Mark]:
        """The ways in which ``scope`` runs, outside of its graph blocks."""
        return list(self._marks.get(_runner(scope), {}).values())

    # From the callers to the called

    def _flow(self, names: Names) -> None:
        functions = [s for s in names.scopes if s.kind in ("function", "lambda")]
        reached = {edge.target for edge in self._edges.all}
        roots = [f for f in functions if f not in reached]
        self._spread([*names.tops, *roots, *self._edges.plain, *self._edges.open])
        for function in functions:
            if function not in self._marks:
                self._spread([function])

    def _spread(self, roots: list[Scope]) -> None:
        pending = [scope for scope in roots if self._add(scope, self._root)]
        while pending:
            caller = pending.pop()
            for edge in self._out.get(caller, ()):
                added = [self._add(edge.target, mark) for mark in self._carried(edge)]
                if any(added):
                    pending.append(edge.target)

    def _add(self, scope: Scope, mark: Mark) -> bool:
        marks = self._marks.setdefault(scope, {})
        key = (mark.construct, mark.line, mark.code, mark.by_line, mark.threaded)
        if key in marks:
            return False
        marks[key] = mark
        return True

    def _carried(self, edge: Edge) -> Iterator[Mark]:
        """The marks that ``edge`` gives its target."""
        for mark in self.at(edge.caller, edge.line):
            if isinstance(edge.how, Construct):
                yield self._given(edge, edge.how, mark)
            elif edge.target not in self._closed:
                carried = self._called(edge, mark)
                if carried is not None:
                    yield carried

    def _called(self, edge: Edge, mark: Mark) -> Mark | None:
        if mark.plain or mark.by_line:
            return None if edge.how == "handed" else mark
        code = mark.code
        if code == "autograph" and not _inside(edge.target, _runner(edge.caller)):
            left_alone = edge.target in self._edges.left_alone
            code = "own" if left_alone or edge.how != "call" else code
        return replace(mark, code=code, direct=False)

    def _given(self, edge: Edge, construct: Construct, mark: Mark) -> Mark:
        """The mark of a function that ``construct`` is given where ``mark`` holds."""
        target = edge.target
        made = Mark(construct.name, edge.line, target.name, self._code(edge, construct, mark))
        if construct.threaded and (construct.opens or not mark.plain):
            return replace(made, code="own", threaded=True)
        if construct.opens:
            # In graph mode a call of a compiled function only adds a node.
            deferred = mark.by_line and "{subject}" in construct.runs
            runs = SESSION if deferred else construct.runs.format(subject=target.name)
            return replace(made, runs=runs)
        if mark.plain and made.code == "own":
            return mark
        return replace(made, runs=mark.runs)

    def _code(self, edge: Edge, construct: Construct, mark: Mark) -> Code:
        if mark.code == "compiled":
            return "compiled"
        if mark.code == "autograph" and _inside(edge.target, _runner(edge.caller)):
            return "autograph"
        if construct.code != "autograph":
            return construct.code
        # autograph=False holds for what the function calls too.
        off = mark.construct == "tf.function" and mark.code == "own" and not construct.opens
        return "own" if off or edge.target in self._edges.left_alone else "autograph"


def _runner(scope: Scope) -> Scope:
    """The scope whose code runs when ``scope``'s own statements do: a class body's is outside."""
    while scope.kind == "class" and scope.parent is not None:
        scope = scope.parent
    return scope


def _inside(scope: Scope, outer: Scope) -> bool:
    return any(around is outer for around in scope.around())
