"""Our configuration in launch files as people write them: comments, trailing commas, odd ones."""

from __future__ import annotations

import json
import re

import pytest

from graphdebug.language_server.launch_file import CONFIGURATION, has_configuration, insertion

OTHER = '{"name": "mine", "type": "debugpy", "request": "launch"}'
FILES = {
    "empty": "",
    "space": "\n  \n",
    "plain": f'{{"version": "0.2.0", "configurations": [{OTHER}]}}',
    "no configurations yet": '{"configurations": []}',
    "no list": '{"version": "0.2.0"}',
    "nothing": "{}",
    "comments": '{\n  // "configurations": [\n  /* [ { */ "configurations": [ // here\n'
    f"    {OTHER},\n  ],\n}}\n",
    "brackets in strings": f'{{"x": "\\"configurations\\": [", "configurations": [{OTHER}]}}',
    "windows": f'{{\r\n  "configurations": [\r\n    {OTHER}\r\n  ]\r\n}}\r\n',
}


def read(text: str) -> dict[str, object]:
    """As an editor reads it."""
    found: dict[str, object] = json.loads(
        re.sub(
            r',(\s*[\]}])|("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/',
            lambda match: match[1] or match[2] or "",
            re.sub(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', lambda m: m[1] or "", text),
        )
    )
    return found


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_it_is_added_and_nothing_else_changes(text: str) -> None:
    assert not has_configuration(text)
    wanted = insertion(text)
    assert wanted is not None
    changed = text[: wanted.offset] + wanted.text + text[wanted.offset :]
    before = read(text) if text.strip() else {"version": "0.2.0"}
    after = read(changed)
    configurations = after.pop("configurations")
    assert configurations == [CONFIGURATION, *before.pop("configurations", [])]  # type: ignore[misc]
    assert after == before
    assert has_configuration(changed)


@pytest.mark.parametrize("text", ["[]", "text", "1", '"{"'])
def test_what_is_no_launch_file_is_left_alone(text: str) -> None:
    assert insertion(text) is None


def test_a_configuration_in_a_comment_is_none() -> None:
    assert not has_configuration('{ // "staticGraphs": "node"\n}')
    assert has_configuration('{"a": {"staticGraphs" : /* x */ "node"}}')
