"""One walk over a syntax tree that gathers the facts of its scopes.

Imported by ``source`` alone. The walk is written out by hand, because it is what a cold analysis
spends its time on.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any

from graphdebug.analysis.facts import (
    Block,
    Bound,
    Facts,
    Function,
    ScopeKind,
    Store,
    Use,
    dotted,
    first_line,
    identifiers,
    last_part,
    parameters,
)


def collect(tree: ast.Module) -> Facts:
    """The facts of the top level of ``tree``, with those of all scopes in it as its children."""
    last = max((s.end_lineno or s.lineno for s in tree.body), default=1)
    facts = Facts("module", "<module>", tree, 1, 1, last)
    _Collector(facts).block(tree.body)
    return facts


_LEAVES = (ast.Name, ast.Constant)
_YIELDS = (ast.Yield, ast.YieldFrom)


class _Collector:
    """Fills the facts of one scope; makes another collector for each scope inside."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.guarded = False
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()

    # Statements

    def block(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            self.facts.statements.append(statement)
            handler = _HANDLERS.get(type(statement), _Collector.compound)
            handler(self, statement)

    def compound(self, node: ast.AST) -> None:
        """Any statement without rules of its own: its expressions, then its blocks."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                self.block([child])
            elif isinstance(child, ast.expr):
                self.expression(child)
            else:
                self.part(child)

    def part(self, node: ast.AST) -> None:
        """An exception handler, a ``case``, a pattern."""
        if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            self.bind(node.name, Bound())
        if isinstance(node, ast.ExceptHandler | ast.match_case):
            self.under(node)
        else:
            self.compound(node)

    def under(self, node: ast.AST) -> None:
        """A part that may not run."""
        outside, self.guarded = self.guarded, True
        self.compound(node)
        self.guarded = outside

    def loop(self, node: ast.For | ast.AsyncFor) -> None:
        self.target(node.target, node.iter)
        self.under(node)

    def condition(self, node: ast.If) -> None:
        test = dotted(node.test).rpartition(".")[2]
        if test == "TYPE_CHECKING":
            self.facts.typing_only.append((node.body[0].lineno, node.body[-1].end_lineno or 0))
        if _is_main(node.test):
            self.compound(node)
        else:
            self.under(node)

    def context(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            last = node.body[-1].end_lineno or node.lineno
            first = node.lineno if len(node.items) > 1 else node.body[0].lineno
            self.facts.blocks.append(Block(item.context_expr, first, last))
            if item.optional_vars is not None:
                self.target(item.optional_vars, item.context_expr)
            self.expression(item.context_expr)
        self.block(node.body)

    def assign(self, node: ast.Assign) -> None:
        self.expression(node.value)
        for target in node.targets:
            self.target(target, node.value)

    def annotated(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.expression(node.value)
            self.target(node.target, node.value)

    def augmented(self, node: ast.AugAssign) -> None:
        self.expression(node.value)
        self.expression(node.target)

    def returned(self, node: ast.Return) -> None:
        if node.value is not None:
            self.facts.returns.append(node.value)
            self.expression(node.value)

    def imported(self, node: ast.Import) -> None:
        for alias in node.names:
            path = alias.name if alias.asname else alias.name.partition(".")[0]
            self.bind(alias.asname or path, Bound(path=path))

    def imported_from(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self.facts.stars.append(module)
            else:
                self.bind(alias.asname or alias.name, Bound(path=f"{module}.{alias.name}"))
                if alias.asname:
                    self.facts.flows.append((alias.asname, frozenset([alias.name])))

    def declared_global(self, node: ast.Global) -> None:
        self.globals.update(node.names)

    def declared_nonlocal(self, node: ast.Nonlocal) -> None:
        self.nonlocals.update(node.names)

    # Scopes

    def function(self, node: Function) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults, *node.decorator_list):
            if default is not None:
                self.expression(default)
        child = self.child("function", node.name, node, node.decorator_list)
        self.bind(node.name, Bound(scope=child.facts))
        child.bind_parameters(node)
        child.block(node.body)
        for value in child.facts.returns:
            self.flow(f"{node.name}()", value)
        self.facts.yields |= child.facts.yields

    def klass(self, node: ast.ClassDef) -> None:
        for expression in (*node.bases, *(k.value for k in node.keywords), *node.decorator_list):
            self.expression(expression)
        child = self.child("class", node.name, node, node.decorator_list)
        child.facts.bases = node.bases
        for base in node.bases:
            self.flow(node.name, base)
        self.bind(node.name, Bound(scope=child.facts))
        child.block(node.body)

    def lambda_(self, node: ast.Lambda) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.expression(default)
        child = self.child("lambda", "<lambda>", node, [])
        child.bind_parameters(node)
        child.facts.returns.append(node.body)
        child.expression(node.body)

    def child(
        self,
        kind: ScopeKind,
        name: str,
        node: Function | ast.ClassDef | ast.Lambda,
        decorators: list[ast.expr],
    ) -> _Collector:
        first = min([node.lineno, *(d.lineno for d in decorators)])
        start = node.body.lineno if isinstance(node, ast.Lambda) else first_line(node.body[0])
        facts = Facts(kind, name, node, first, start, node.end_lineno or node.lineno)
        facts.decorators = decorators
        self.facts.children.append(facts)
        return _Collector(facts)

    def bind_parameters(self, node: Function | ast.Lambda) -> None:
        for parameter in parameters(node):
            self.facts.parameters.append(parameter.arg)
            self.bind(parameter.arg, Bound(annotation=parameter.annotation))
            if parameter.annotation is not None:
                self.flow(parameter.arg, parameter.annotation)

    # Names

    def bind(self, name: str, bound: Bound) -> None:
        if name in self.globals:
            self.facts.outer.setdefault(name, []).append(bound)
        elif name not in self.nonlocals:
            self.facts.bound.setdefault(name, []).append(bound)

    def target(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.bind(target.id, Bound(value=value))
            self.flow(target.id, value)
        elif isinstance(target, ast.Attribute):
            self.flow(target.attr, value)
            self.store(dotted(target), target.value, value)
            self.expression(target.value)
        elif isinstance(target, ast.Tuple | ast.List):
            for index, element in enumerate(target.elts):
                self.target(element, _paired(target, value, index))
        elif isinstance(target, ast.Starred):
            self.target(target.value, value)
        elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
            path = f"{dotted(target.value)}[{target.slice.value!s}]"
            self.store(path, target.value, value)
            self.expression(target.value)
        else:
            self.expression(target)

    def flow(self, name: str, value: ast.expr) -> None:
        found = identifiers([value])
        if found:
            self.facts.flows.append((name, found))

    def store(self, target: str, base: ast.expr, value: ast.expr) -> None:
        self.facts.stores.append(Store(target, base, value, self.guarded))

    # Expressions

    def expression(self, root: ast.expr) -> None:
        stack: list[ast.AST] = [root]
        while stack:
            node = stack.pop()
            if isinstance(node, _LEAVES):
                continue
            if isinstance(node, ast.Lambda):
                self.lambda_(node)
            elif isinstance(node, ast.Call):
                self.use(node)
                # A callee's own attribute is called, not read.
                stack.append(node.func.value if isinstance(node.func, ast.Attribute) else node.func)
                stack.extend(node.args)
                stack.extend(keyword.value for keyword in node.keywords)
            else:
                self.note(node)
                stack.extend(ast.iter_child_nodes(node))

    def use(self, node: ast.Call) -> None:
        callee = node.func
        slots: list[tuple[int | str | None, ast.expr]] = list(enumerate(node.args))
        slots += [(keyword.arg, keyword.value) for keyword in node.keywords]
        if not dotted(callee):
            slots.append((-1, callee))
        head = dotted(callee.value) if isinstance(callee, ast.Attribute) else ""
        given = {slot: found for slot, part in slots if (found := identifiers([part]))}
        mentions = frozenset[str]().union(*given.values())
        self.facts.uses.append(Use(node, head, last_part(callee), given, mentions, self.guarded))

    def note(self, node: ast.AST) -> None:
        if isinstance(node, ast.Attribute):
            self.facts.reads.append(node)
        elif isinstance(node, ast.NamedExpr):
            self.target(node.target, node.value)
        elif isinstance(node, ast.comprehension):
            self.comprehension(node)
        elif isinstance(node, _YIELDS):
            self.facts.yields = True

    def comprehension(self, node: ast.comprehension) -> None:
        for name in ast.walk(node.target):
            if isinstance(name, ast.Name):
                self.facts.inner.setdefault(name.id, []).append(Bound(value=node.iter))
                self.flow(name.id, node.iter)


def _is_main(test: ast.expr) -> bool:
    """Whether this is ``__name__ == ...``, which holds where the file is run."""
    return isinstance(test, ast.Compare) and dotted(test.left) == "__name__"


def _paired(target: ast.Tuple | ast.List, value: ast.expr, index: int) -> ast.expr:
    """The element of ``value`` that ``target``'s element at ``index`` is given, where it shows."""
    starred = any(isinstance(e, ast.Starred) for e in target.elts)
    same = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
    if same and not starred:
        return value.elts[index]  # type: ignore[attr-defined, no-any-return]
    return value


_HANDLERS: dict[type[ast.stmt], Callable[[_Collector, Any], None]] = {
    ast.For: _Collector.loop,
    ast.AsyncFor: _Collector.loop,
    ast.While: _Collector.under,
    ast.If: _Collector.condition,
    ast.With: _Collector.context,
    ast.AsyncWith: _Collector.context,
    ast.Assign: _Collector.assign,
    ast.AnnAssign: _Collector.annotated,
    ast.AugAssign: _Collector.augmented,
    ast.Return: _Collector.returned,
    ast.Import: _Collector.imported,
    ast.ImportFrom: _Collector.imported_from,
    ast.Global: _Collector.declared_global,
    ast.Nonlocal: _Collector.declared_nonlocal,
    ast.FunctionDef: _Collector.function,
    ast.AsyncFunctionDef: _Collector.function,
    ast.ClassDef: _Collector.klass,
}
