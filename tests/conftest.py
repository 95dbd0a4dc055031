"""Fixtures of all tests: what a test starts, it may not leave behind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from support.dap import Session, Start
from support.processes import Run, running
from support.sandbox import Sandbox
from support.tiers import TIERS, build_in_background, keep, tier_environment

tempfile.gettempdir()  # settled here, before a test's TMPDIR could become pytest's own


@pytest.fixture(autouse=True)
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Where everything that the test starts runs; what is left there fails the test."""
    box = Sandbox()
    for name, value in box.environment.items():
        monkeypatch.setenv(name, value)
    yield box
    _close(box)


@pytest.fixture
def start(sandbox: Sandbox) -> Iterator[Start]:
    """Starts sessions that end with the test: ``start(adapter, **options)``."""
    yield from _sessions(sandbox)


@pytest.fixture(scope="module")
def start_shared() -> Iterator[Start]:
    """Starts sessions that several tests of a module look at, in a sandbox of their own."""
    box = Sandbox()
    yield from _sessions(box)
    _close(box)


@pytest.fixture
def run(sandbox: Sandbox) -> Iterator[Run]:
    """Runs Python programs beside the adapter, killed with the test if they still run."""
    with running() as run:
        yield run


@pytest.fixture(
    scope="module",
    params=[pytest.param("debugpy", marks=pytest.mark.one_python), "graphdebug"],
)
def adapter(request: pytest.FixtureRequest) -> str:
    """Each adapter in turn: what debugpy's does, ours must do.

    That a test asks for what debugpy does is shown once. Ours has to do it under each Python.
    """
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def graphdebug_adapter() -> str:
    """The name of our adapter, for tests of it alone."""
    return "graphdebug"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--stress``: the long series, too."""
    parser.addoption("--stress", action="store_true", help="run the long series, too")


@pytest.fixture(scope="module", params=TIERS)
def tier(request: pytest.FixtureRequest) -> dict[str, str]:
    """Each tier of the torch backend in turn, as the variables that choose it."""
    return tier_environment(request.param)


@pytest.fixture(scope="session")
def native() -> dict[str, str]:
    """The native tier, as the variables that choose it."""
    return tier_environment("native")


def pytest_configure(config: pytest.Config) -> None:
    """What is built of the native tier is kept where pytest keeps things."""
    keep(config.rootpath / ".pytest_cache" / "native")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files that import frameworks take longest, and so come first: no worker is left with one."""
    if any({"tier", "native"} & {*getattr(item, "fixturenames", ())} for item in items):
        build_in_background()
    long = {item.path for item in items if item.get_closest_marker("frameworks")}
    items.sort(key=lambda item: item.path not in long)
    if not config.getoption("--stress"):
        for item in items:
            if item.get_closest_marker("stress"):
                item.add_marker(pytest.mark.skip(reason="a long series: --stress"))


def _sessions(box: Sandbox) -> Iterator[Start]:
    started: list[Session] = []

    def start(adapter: str, **options: Any) -> Session:
        environment = {**box.environment, **options.pop("environment", {})}
        started.append(Session(adapter, environment=environment, **options))
        return started[-1]

    yield start
    problems = []
    for session in reversed(started):
        try:
            session.close()
        except AssertionError as error:
            problems.append(str(error))
    if problems:
        pytest.fail("\n\n".join(problems), pytrace=False)


def _close(box: Sandbox) -> None:
    leaks = box.leaks()
    box.remove()
    if leaks:
        pytest.fail("left behind:\n" + "\n".join(leaks), pytrace=False)
