"""Work beside the client's requests; an error that ends it is said on stderr, which editors show."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

_log = logging.getLogger(__name__)


def start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run it until it ends or is cancelled."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_finished)
    return task


def _finished(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("an error of graphdebug's own", exc_info=error)
