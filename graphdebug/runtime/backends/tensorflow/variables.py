"""TensorFlow's variables: read without a trace, and named as the program names them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

from graphdebug.runtime.frames import is_user_file, locals_of

_FRAMES_LIMIT = 16


def is_variable(value: Any) -> bool:
    """Whether it is a variable, of TensorFlow's or of Keras's."""
    return handle_of(value) is not None and not hasattr(value, "_datatype_enum")


def handle_of(value: Any) -> Any:
    """What stands for a variable in operations; a handle stands for itself."""
    if hasattr(value, "_datatype_enum"):
        return value
    from graphdebug.runtime.backends.tensorflow.tensors import unwrapped

    return getattr(unwrapped(value), "handle", None)


def value_of(variable: Any) -> Any:
    """The tensor that a variable holds now; None where it has none. On nobody's tape."""
    from tensorflow.python.ops import gen_resource_variable_ops as resources

    from graphdebug.runtime.backends.tensorflow.tensors import quiet, unwrapped

    inner = unwrapped(variable)
    try:
        with quiet():
            return resources.read_variable_op(inner.handle, inner.dtype)
    except Exception:  # it isn't initialised, or has no memory of its own
        return None


def name_in(frame: FrameType | None, wanted: Any) -> str:
    """The shortest name in a frame of the user's, or in those around it, that stands for it; or empty."""
    for _ in range(_FRAMES_LIMIT):
        if frame is None:
            return ""
        if is_user_file(frame.f_code.co_filename):
            scope = locals_of(frame)
            found = [name for name, item in _named(scope) if item is wanted]
            if not found and frame.f_code.co_name != "<module>":
                found = [name for name, item in _named(frame.f_globals) if item is wanted]
            if found:
                return min(found, key=len)
        frame = frame.f_back
    return ""


def called(frame: FrameType | None, variable: Any) -> str:
    """A variable's name in the program, or its own."""
    own = getattr(variable, "path", None) or getattr(variable, "name", "")
    return name_in(frame, variable) or str(own).removesuffix(":0") or "a variable"


def _named(scope: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in list(scope.items()):
        yield name, value
        if name == "self":
            held = getattr(value, "__dict__", {})
            yield from ((f"self.{part}", item) for part, item in list(held.items()))
        elif type(value) in (list, tuple):
            yield from ((f"{name}[{at}]", item) for at, item in enumerate(value))
        elif type(value) is dict:
            yield from ((f"{name}[{key!r}]", item) for key, item in list(value.items()))
