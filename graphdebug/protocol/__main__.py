"""Writes the files that are generated from the protocol's dataclasses.

With --check nothing is written: it ends with exit code 1 where one of them is out of date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from graphdebug.protocol import manifest, schema, typescript
from graphdebug.protocol.declarations import COMMAND

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {
    Path("graphdebug/protocol/schema.json"): schema.render,
    Path("extension/shared/src/protocol.ts"): typescript.render,
}
"""The generated files, from the root of the repository, and what writes each."""
MANIFEST = Path("package.json")
"""What is generated in part."""


def stale(root: Path = ROOT) -> list[Path]:
    """The files that aren't what would be generated."""
    return [path for path, text in _texts(root).items() if not _is(root / path, text)]


def _texts(root: Path) -> dict[Path, str]:
    texts = {path: render() for path, render in GENERATED.items()}
    others = (root / manifest.OTHERS).read_text(encoding="utf-8")
    texts[MANIFEST] = manifest.render((root / MANIFEST).read_text(encoding="utf-8"), others)
    return texts


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say which files are stale")
    check = parser.parse_args().check
    if not (ROOT / "pyproject.toml").is_file():
        print(f"{ROOT} is no checkout of graphdebug: run this in one", file=sys.stderr)
        return 1
    texts = _texts(ROOT)
    paths = [path for path, text in texts.items() if not _is(ROOT / path, text)]
    if check and paths:
        print(f"stale: {', '.join(map(str, paths))}; run `{COMMAND}`", file=sys.stderr)
        return 1
    for path in paths:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_bytes(texts[path].encode())
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
