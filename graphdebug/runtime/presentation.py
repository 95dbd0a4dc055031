"""How values stand in Variables: a line that costs nothing, few children, the rest when opened.

Each framework brings modules that know its classes (``Presenter``); this one asks them, and is what
``debugger.values`` gives to pydevd. An error of ours becomes text: pydevd would otherwise print
the whole value in its own way.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol, cast

from graphdebug.runtime.debugger import values
from graphdebug.runtime.tree import Child, Group

_MODULES = {
    "torch": ("torch.tensors", "torch.modules"),
    "tensorflow": ("tensorflow.tensors", "tensorflow.arrays"),
}


class Presenter(Protocol):
    """What a module that presents a framework's values has.

    It may also have ``Headers``, a context manager in which ``repr`` of its values is their header,
    wherever it is called from on this thread.
    """

    def presents(self, kind: type) -> bool:
        """Whether values of this class are shown through it."""

    def header(self, value: Any) -> str:
        """The line that stands for the value; waits for no device."""

    def text(self, value: Any) -> str | None:
        """What ``print`` shows, where that is short; for who asks for the text itself."""

    def children(self, value: Any) -> list[Child]:
        """What opens below it."""


_presenters: dict[str, Presenter] = {}


def install() -> None:
    """Show what the frameworks that are imported make; called once more after each import."""
    for framework, names in _MODULES.items():
        if framework in sys.modules:
            for name in names:
                if name not in _presenters:
                    module = importlib.import_module(f"graphdebug.runtime.backends.{name}")
                    _presenters[name] = cast(Presenter, module)
    values.present(Strings, Children)


class _Presented:
    """Both providers are asked for every class that pydevd meets, once."""

    def can_provide(self, type_object: Any, type_name: str) -> bool:
        """Whether this class is ours to show."""
        return isinstance(type_object, type) and (
            issubclass(type_object, Group) or _presenter(type_object) is not None
        )


class Strings(_Presented):
    """pydevd's ``StrPresentationProvider``."""

    def get_str(self, val: Any) -> str:
        """The line in Variables."""
        if isinstance(val, Group):
            return val.text
        try:
            return _found(val).header(val)
        except Exception as error:
            return f"{type(val).__name__} (graphdebug can't describe it: {error!r})"

    def get_str_in_context(self, val: Any, context: str) -> str:
        """The line; where the user asks for the text (``repl``, ``clipboard``) that too."""
        if isinstance(val, Group) or context not in ("repl", "clipboard"):
            return self.get_str(val)
        try:
            text = _found(val).text(val)
        except Exception as error:
            text = f"(it can't be printed: {error!r})"
        if text is None:
            return self.get_str(val)
        return text if context == "clipboard" else f"{self.get_str(val)}\n{text}"

    @contextmanager
    def headers(self) -> Iterator[None]:
        """While it is entered, a ``repr`` that holds our values doesn't read them."""
        with ExitStack() as stack:
            for presenter in _presenters.values():
                enter = getattr(presenter, "Headers", None)
                if enter is not None:
                    stack.enter_context(enter())
            yield


class Children(_Presented):
    """pydevd's ``TypeResolveProvider``."""

    def get_contents_debug_adapter_protocol(self, obj: Any, fmt: Any = None) -> list[Child]:
        """The children, in the order they are shown."""
        try:
            return list(obj.open() if isinstance(obj, Group) else _found(obj).children(obj))
        except Exception as error:
            return [("error", str(error) or repr(error), None)]

    def get_dictionary(self, var: Any) -> dict[str, Any]:
        """The children by name."""
        return {name: value for name, value, _ in self.get_contents_debug_adapter_protocol(var)}

    def resolve(self, var: Any, attribute: str) -> Any:
        """The child of that name."""
        return self.get_dictionary(var)[attribute]


def header(value: Any) -> str | None:
    """The line that stands for a value of a framework's; None for any other."""
    presenter = _presenter(type(value))
    return None if presenter is None else presenter.header(value)


def _presenter(kind: type) -> Presenter | None:
    return next((each for each in _presenters.values() if each.presents(kind)), None)


def _found(value: Any) -> Presenter:
    presenter = _presenter(value.__class__)
    assert presenter is not None
    return presenter
