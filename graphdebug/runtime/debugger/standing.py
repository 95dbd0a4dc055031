"""Where a thread stands, said with its stop: our adapter needn't ask before it passes the stop on.

Set up by ``mends``; the runtime says what there is to say.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from graphdebug.protocol.model import Source
from graphdebug.protocol.runtime import STANDING, Standing
from graphdebug.protocol.wire import to_wire
from graphdebug.runtime.debugger import unfit

Describe = Callable[[Source], "Standing | None"]

describe: Describe | None = None
"""Called in each thread that stops, with its innermost frame as ``stackTrace`` has it. The runtime's."""


def tell() -> None:
    """Let each ``stopped`` event have what ``describe`` says in the field ``STANDING`` of its body."""
    try:
        from _pydevd_bundle.pydevd_net_command_factory_json import NetCommandFactoryJson

        original = NetCommandFactoryJson.make_thread_suspend_single_notification
        _expect(original, "py_db", "thread_id", "thread", "stop_reason")
        _expect(NetCommandFactoryJson._iter_visible_frames_info, "py_db", "frames_list")
    except Exception as error:
        unfit("each stop takes some milliseconds longer", error)
        return

    @functools.wraps(original)
    def make_thread_suspend_single_notification(
        self: Any, py_db: Any, thread_id: Any, thread: Any, stop_reason: Any
    ) -> Any:
        command = original(self, py_db, thread_id, thread, stop_reason)
        if describe is None or thread is not threading.current_thread():
            return command
        try:
            frame = _innermost(self, py_db, thread_id)
            said = None if frame is None else describe(frame)
            if said is None:
                return command
            body = {**command.as_dict["body"], STANDING: to_wire(said)}
            event = {**command.as_dict, "body": body}
            return type(command)(command.id, command.seq, event, is_json=True)
        except Exception:
            return command  # the adapter asks then

    NetCommandFactoryJson.make_thread_suspend_single_notification = (
        make_thread_suspend_single_notification
    )


def _expect(function: Any, *names: str) -> None:
    if function.__code__.co_varnames[1 : 1 + len(names)] != names:
        raise TypeError(f"{function.__qualname__} takes other arguments")


def _innermost(factory: Any, py_db: Any, thread_id: Any) -> Source | None:
    """As pydevd's own ``make_get_thread_stack_message`` finds it."""
    frames = py_db.suspended_frames_manager.get_frames_list(thread_id)
    for _, frame, name, original, path, line, *_ in factory._iter_visible_frames_info(
        py_db, frames
    ):
        hidden = py_db.is_files_filter_enabled and py_db.apply_files_filter(frame, original, False)
        if getattr(frame, "IS_PLUGIN_FRAME", False) or not hidden:
            return Source(path, line, name)
    return None
