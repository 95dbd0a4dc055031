"""Fixtures of the language server's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from support.lsp import Editor, editor
from support.sandbox import Sandbox


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    """Where a module's server, and what runs beside it, lives."""
    found = Sandbox()
    yield found
    leaks = found.leaks()
    found.remove()
    if leaks:
        pytest.fail("left behind:\n" + "\n".join(leaks), pytrace=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(box: Sandbox) -> AsyncIterator[Editor]:
    """An editor that the tests of a module share."""
    folder = box.root / "work"
    folder.mkdir()
    async with editor(folder, box.environment) as found:
        yield found
