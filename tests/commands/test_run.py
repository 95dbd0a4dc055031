"""``graphdebug run``: the program's output and exit code are its own, and its steps are seen."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "graphdebug", "run"]

TORCH_LOOP = """
import torch
weight = torch.ones(3, requires_grad=True)
optimizer = torch.optim.SGD([weight], lr=0.1)
for _ in range(5):
    optimizer.zero_grad()
    (weight * weight).sum().backward()
    optimizer.step()
print(weight)
"""


def graphdebug_run(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [*COMMAND, *words], **{"capture_output": True, "text": True, "timeout": 120, **options}
    )


def write(directory: Path, text: str) -> str:
    path = directory / "program.py"
    path.write_text(text)
    return str(path)


def test_output_arguments_and_exit_code_are_the_programs(tmp_path: Path) -> None:
    program = write(
        tmp_path,
        "import sys\nprint(sys.argv[1:], __name__, file=sys.stderr)\n"
        "sys.stdout.write(sys.stdin.read())\nsys.exit(7)\n",
    )
    words = ["--steps", "-m", "--", "x"]
    bare = subprocess.run(
        [sys.executable, program, *words], input="typed", capture_output=True, text=True
    )
    observed = graphdebug_run(program, *words, input="typed")
    assert (observed.returncode, observed.stdout, observed.stderr) == (7, "typed", bare.stderr)


def test_modules_and_commands() -> None:
    shown = graphdebug_run("-m", "json.tool", input='{"a": 1}')
    assert json.loads(shown.stdout) == {"a": 1}
    assert graphdebug_run("--", "sh", "-c", "exit 9").returncode == 9


def test_commands_of_an_environment_that_is_not_activated(tmp_path: Path) -> None:
    """What stands beside the interpreter is found, as torchrun is; PATH comes first."""
    python = Path(sys.executable).name
    environment = {**os.environ, "PATH": str(tmp_path)}
    words = ("--", python, "-c", "import sys; print(sys.executable)")
    assert graphdebug_run(*words, env=environment).stdout.strip() == sys.executable
    (tmp_path / python).write_text("#!/bin/sh\necho another\n")
    (tmp_path / python).chmod(0o755)
    assert graphdebug_run(*words, env=environment).stdout == "another\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_program_that_dies_by_a_signal(number: signal.Signals) -> None:
    done = graphdebug_run("--", "sh", "-c", f"kill -{int(number)} $$")
    assert done.returncode == -number
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ((), 2, "a program is needed"),
        (("missing.py",), 1, 'there is no program "missing.py"'),
        (("--", "no-such-command"), 1, 'there is no command "no-such-command"'),
        (("--steps", "/no/such/directory/steps", "-m", "json.tool"), 1, "can't write"),
        (("--capture", "all", "x.py"), 2, "invalid choice: 'all'"),
    ],
)
def test_wrong_use_is_named(words: tuple[str, ...], code: int, text: str) -> None:
    done = graphdebug_run(*words)
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.frameworks
def test_steps_are_written_as_json_lines(tmp_path: Path) -> None:
    program, steps = write(tmp_path, TORCH_LOOP), tmp_path / "steps.jsonl"
    bare = subprocess.run([sys.executable, program], capture_output=True, text=True)
    observed = graphdebug_run("--steps", str(steps), program)
    assert (observed.stdout, observed.stderr) == (bare.stdout, bare.stderr)
    lines = [json.loads(line) for line in steps.read_text().splitlines()]
    assert [step["index"] for step in lines] == list(range(5))
    assert {step["name"] for step in lines} == {"SGD.step"}
    assert all(step["backwardNodes"] >= 3 for step in lines)
    assert {step["source"]["line"] for step in lines} == {8}


@pytest.mark.frameworks
def test_alerts_are_said_at_the_end_without_a_terminal(tmp_path: Path) -> None:
    program = write(tmp_path, TORCH_LOOP.replace("(weight * weight)", "(weight - 1).log()"))
    observed = graphdebug_run(program)
    bare = subprocess.run([sys.executable, program], capture_output=True, text=True)
    assert (observed.returncode, observed.stdout) == (0, bare.stdout)
    assert observed.stderr.startswith(bare.stderr)
    said = observed.stderr[len(bare.stderr) :].splitlines()
    assert said[0].startswith(f"graphdebug: {program}:7: inf: log (program.py:7) made Inf")
    assert all(line.startswith(f"graphdebug: {program}:") for line in said)


@pytest.mark.frameworks
def test_the_table_is_drawn_below_the_programs_output(tmp_path: Path) -> None:
    program = write(tmp_path, TORCH_LOOP.replace("range(5)", "range(3000)"))
    screen = in_terminal([*COMMAND, program])
    assert "tensor([0., 0., 0.]" in screen or "tensor([" in screen
    assert re.search(r"graphdebug: 3,000 steps · torch \d", screen)
    assert "SGD.step" in screen and "program.py:8" in screen
    assert "\x1b[r" in screen, "the scrolled region was not given back"


def in_terminal(command: list[str]) -> str:
    """All that a command writes to a terminal of 40 rows and 120 columns."""
    main, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color"}
    import fcntl
    import struct
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment
    )
    os.close(terminal)
    parts = []
    while select.select([main], [], [], 120)[0]:
        try:
            data = os.read(main, 65536)
        except OSError:
            break  # the last process has closed the terminal
        if not data:
            break
        parts.append(data)
    os.close(main)
    assert process.wait() == 0
    return b"".join(parts).decode()
