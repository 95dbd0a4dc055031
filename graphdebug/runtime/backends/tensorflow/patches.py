"""Replaces functions of TensorFlow by ones that tell us about their calls, and puts them back."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Sequence
from types import CodeType, FunctionType, TracebackType
from typing import Any, NamedTuple, Protocol

from graphdebug.runtime.backends import HookUnfit

Arguments = tuple[Any, tuple[Any, ...], dict[str, Any]]
"""What ``before`` hands to ``after``, and the arguments that the original gets."""

_WRAPPER = """
def wrapper(*args, **kwargs):
    state, args, kwargs = before(args, kwargs)
    whole = False
    try:
        try:
            result = instead(state, original)(*args, **kwargs)
        except BaseException as error:
            after(state, None, True)
            whole = True
            error.__traceback__ = without_ours(error.__traceback__)
            raise
        result = after(state, result, False)
        whole = True
        return result
    finally:
        if not whole:
            torn()
"""


_INSTEAD = "instead(state, original)"


class Hook(Protocol):
    """What happens around a call. No method may raise."""

    def before(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        """Called with the arguments; what it returns replaces them."""

    @property
    def instead(self) -> Callable[[Any, Callable[..., Any]], Callable[..., Any]] | None:
        """Takes the state and the original, returns what is called; None: always the original."""

    def after(self, state: Any, result: Any, failed: bool) -> Any:
        """Called with what the original returned, or ``failed`` where it raised; returns it."""

    def torn(self) -> None:
        """Called where an interrupt, or an error of a signal handler's, ended ``after`` before its end."""


class _Patch(NamedTuple):
    owner: Any
    name: str
    original: Any
    replacement: Any


class Patches:
    """The functions replaced so far."""

    def __init__(self) -> None:
        self._done: list[_Patch] = []

    def wrap(self, owner: Any, name: str, parameters: Sequence[str], hook: Hook) -> None:
        """Put ``hook`` around ``owner.name``, which takes ``parameters``.

        Raises HookUnfit where it isn't there or takes others.
        """
        original = vars(owner).get(name)
        where = f"{getattr(owner, '__name__', owner)}.{name}"
        if original is None:
            raise HookUnfit(f"TensorFlow has no {where}")
        found = list(inspect.signature(original).parameters)
        if found[: len(parameters)] != list(parameters):
            raise HookUnfit(f"{where} takes ({', '.join(found)}), not ({', '.join(parameters)})")
        replacement = wrapped(original, hook)
        setattr(owner, name, replacement)
        self._done.append(_Patch(owner, name, original, replacement))

    def restore(self) -> None:
        """Put the originals back, except where somebody else replaced ours since."""
        while self._done:
            owner, name, original, replacement = self._done.pop()
            if vars(owner).get(name) is replacement:
                setattr(owner, name, original)


def wrapped(original: Callable[..., Any], hook: Hook) -> Callable[..., Any]:
    """``original`` with ``hook`` around it.

    What the original raises carries no trace of the wrapper, or of what was called instead: a bare
    ``raise`` adds no entry for the frame that it stands in, and those that were there are taken out.
    (Python 3.10 puts one back.)
    The frame of the wrapper stands in the file and on the line of the original: TensorFlow keeps the
    stack of whoever builds an op, and leaves its own files out of the messages it makes from it.
    """
    function = inspect.unwrap(getattr(original, "func", original))
    if not isinstance(function, FunctionType):
        raise HookUnfit(f"{original!r} is not a Python function")
    wrapper = _WRAPPER if hook.instead is not None else _WRAPPER.replace(_INSTEAD, "original")
    code = _code(wrapper, function.__code__.co_filename, function.__code__.co_firstlineno)
    namespace: dict[str, Any] = {"original": original, "before": hook.before, "after": hook.after}
    namespace.update(instead=hook.instead, torn=hook.torn, without_ours=_without_ours)
    namespace["__name__"] = __name__  # by which debuggers know it for ours and pass over it
    return functools.wraps(original)(FunctionType(code, namespace, function.__name__))


def _without_ours(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback from the first frame on that isn't graphdebug's."""
    while traceback is not None:
        name = traceback.tb_frame.f_globals.get("__name__")
        if not str(name).startswith("graphdebug."):
            break
        traceback = traceback.tb_next
    return traceback


@functools.cache
def _code(wrapper: str, filename: str, line: int) -> CodeType:
    module = ast.parse(wrapper)
    for node in ast.walk(module):
        if isinstance(node, (ast.stmt, ast.expr, ast.excepthandler, ast.arg)):
            node.lineno = node.end_lineno = line
            node.col_offset = node.end_col_offset = 0
    constants = compile(module, filename, "exec").co_consts
    return next(item for item in constants if isinstance(item, CodeType))
