"""The files generated from the protocol: up to date, complete, and what their readers take."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator, Draft7Validator
from support import npm
from support.npm import ROOT, SHARED

from graphdebug.adapter import configuration
from graphdebug.protocol import __main__ as generator
from graphdebug.protocol import declarations, schema

SCHEMA = schema.schema()
DECLARATIONS = [d for module in schema.MODULES for d in declarations.declarations(module)]


def test_generated_files_are_up_to_date() -> None:
    assert generator.stale() == [], f"run `{declarations.COMMAND}`"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of a checkout as the generator needs."""
    shutil.copytree(ROOT / "graphdebug" / "protocol", tmp_path / "graphdebug" / "protocol")
    for file in (
        "pyproject.toml",
        "package.json",
        "graphdebug/__init__.py",
        "extension/shared/src/protocol.ts",
        "extension/vscode/attributes.json",
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def generate(checkout: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "graphdebug.protocol", *arguments]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True)


def test_check_names_the_stale_files_and_the_remedy(checkout: Path) -> None:
    assert generate(checkout, "--check").returncode == 0

    model = checkout / "graphdebug" / "protocol" / "model.py"
    model.write_text(model.read_text().replace('"""1-based line."""', '"""Line, from 1."""'))
    check = generate(checkout, "--check")
    assert check.returncode == 1
    assert check.stderr == (
        "stale: graphdebug/protocol/schema.json, extension/shared/src/protocol.ts; "
        "run `python -m graphdebug.protocol`\n"
    )

    assert generate(checkout).returncode == 0
    assert generate(checkout, "--check").returncode == 0
    for file in generator.GENERATED:
        assert "Line, from 1." in (checkout / file).read_text()


def test_what_a_configuration_may_hold_comes_from_the_dataclass(checkout: Path) -> None:
    declared = checkout / "graphdebug" / "protocol" / "dap.py"
    declared.write_text(
        declared.read_text().replace("record_limit: int = 50_000", "limit: int = 7")
    )
    (checkout / "graphdebug" / "__init__.py").write_text('__version__ = "2.0.0"\n')
    assert generate(checkout).returncode == 0
    manifest = json.loads((checkout / "package.json").read_text())
    assert manifest["version"] == "2.0.0"
    (debugger,) = manifest["contributes"]["debuggers"]
    for request in ("launch", "attach"):
        attributes = debugger["configurationAttributes"][request]["properties"]
        assert attributes["limit"]["default"] == 7
        assert "recordLimit" not in attributes
        assert attributes["staticGraphs"]["enum"] == ["boundary", "node"]


def test_the_editor_offers_what_the_adapter_knows() -> None:
    manifest = json.loads((ROOT / "package.json").read_text())
    (debugger,) = manifest["contributes"]["debuggers"]
    attributes = debugger["configurationAttributes"]
    for request in ("launch", "attach"):
        properties = attributes[request]["properties"]
        assert properties.keys() <= configuration.KNOWN
        assert properties.keys() >= configuration.OWN
    for snippet in debugger["configurationSnippets"]:
        body = snippet["body"]
        assert (
            body.keys() - {"name", "type", "request"}
            <= attributes[body["request"]]["properties"].keys()
        )
        assert not configuration.unknown(body)
        configuration.parse(body)


def test_outside_a_checkout_it_writes_nothing(checkout: Path) -> None:
    (checkout / "pyproject.toml").unlink()
    shutil.rmtree(checkout / "extension")
    result = generate(checkout)
    assert result.returncode == 1
    assert "run this in one" in result.stderr
    assert not (checkout / "extension").exists()


@pytest.mark.parametrize("file", generator.GENERATED, ids=str)
def test_generated_files_say_so_first(file: Path) -> None:
    head = (ROOT / file).read_text()[:200]
    assert f"`{declarations.COMMAND}`; do not edit" in head


@pytest.mark.parametrize("declaration", DECLARATIONS, ids=lambda d: d.name)
def test_everything_is_described(declaration: declarations.Declaration) -> None:
    assert declaration.description
    undescribed = [field.wire.name for field in declaration.properties if not field.description]
    assert not undescribed, f"{declaration.name}: write a string under each of these fields"


@pytest.mark.parametrize("validator", [Draft4Validator, Draft7Validator])
def test_schema_is_a_schema(validator: Any) -> None:
    validator.check_schema({**SCHEMA, "$schema": validator.META_SCHEMA["$schema"]})


def test_every_reference_has_a_definition() -> None:
    targets = set(references(SCHEMA))
    assert targets <= {f"#/definitions/{name}" for name in SCHEMA["definitions"]}
    assert SCHEMA["events"]["graphdebugStep"]["$ref"] == "#/definitions/GraphdebugStepEvent"


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        part = list(part.values())
    if isinstance(part, list):
        for item in part:
            yield from references(item)


def test_defaults_are_values_of_their_fields() -> None:
    for definition in SCHEMA["definitions"].values():
        for field in definition["properties"].values():
            if "default" in field:
                field = {**SCHEMA, "allOf": [field]}
                Draft7Validator(field).validate(field["allOf"][0]["default"])


def test_typescript_types_mean_what_they_say() -> None:
    """``uses.ts`` holds right uses, and wrong ones marked as expected errors."""
    npm.install(SHARED)
    compiler = SHARED / "node_modules" / "typescript" / "bin" / "tsc"
    command = ["node", compiler, "--noEmit", "--strict", "--project", Path(__file__).parent]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
