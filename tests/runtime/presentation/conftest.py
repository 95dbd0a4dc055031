"""The frameworks' modules, where they are installed."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def np() -> Any:
    return pytest.importorskip("numpy")


@pytest.fixture(scope="module")
def tensors(torch: Any) -> ModuleType:
    from graphdebug.runtime.backends.torch import tensors

    return tensors


@pytest.fixture(scope="module")
def modules(torch: Any) -> ModuleType:
    from graphdebug.runtime.backends.torch import modules

    return modules
