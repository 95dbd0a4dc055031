"""Which operation raised an error, and on what: kept as numbers, until the next one raises."""

from __future__ import annotations

import os
from types import CodeType, FrameType, MethodWrapperType
from typing import Any, NamedTuple

from graphdebug.runtime.backends.torch import naming
from graphdebug.runtime.backends.torch.records import TensorInfo, infos

_OVERRIDES = os.path.join("torch", "overrides.py")


class Raised(NamedTuple):
    """An operation that raised. Neither its error nor its tensors live longer for it."""

    error: int
    """The error's ``id``, which another one may get once it is gone: hence the message."""
    message: str
    name: str
    """The operation's."""
    inputs: tuple[TensorInfo, ...]
    code: CodeType
    lasti: int
    """Where it was called, maybe in a library."""

    def made(self, error: BaseException) -> bool:
        """Whether it is this error that the operation raised."""
        return self.error == id(error) and self.message == _message(error)


def raised(
    error: BaseException, func: Any, args: Any, kwargs: Any, frame: FrameType
) -> Raised | None:
    """An operation that ``frame`` called raised an error; None for what isn't one of torch's."""
    if not isinstance(error, (RuntimeError, IndexError, ValueError, TypeError)):
        return None
    if frame.f_code.co_filename.endswith(_OVERRIDES):  # a Python function that asked for modes
        frame = getattr(frame.f_back, "f_back", None) or frame
    inputs = infos((args, tuple((kwargs or {}).values())))
    if type(func) is MethodWrapperType:  # a property
        func = func.__self__
    code, lasti = frame.f_code, frame.f_lasti
    return Raised(id(error), _message(error), naming.name(func), inputs, code, lasti)


def _message(error: BaseException) -> str:
    first = error.args[0] if error.args else ""
    return first if isinstance(first, str) else ""
