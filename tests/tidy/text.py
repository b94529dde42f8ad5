"""The code base as a text: which files are ours, and their syntax trees."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Made by tools, or by running the product; git ignores them too.
NOT_OURS = {"__pycache__", "node_modules", "dist", "build", "data", "demo-data", "mutants"}
# Built from frontend/ and committed; their sources are what is checked.
BUILT = Path("src/lingqian/web/static")


def walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder that people wrote."""
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith(".") and path.name != ".ci"
        if hidden or path.name in NOT_OURS or path.relative_to(ROOT) == BUILT:
            continue
        if path.is_dir():
            yield from walk(path)
        else:
            yield path


@functools.cache
def files(*endings: str) -> tuple[Path, ...]:
    """Return our files whose names end so."""
    return tuple(path for path in walk(ROOT) if path.as_posix().endswith(endings))


@functools.cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file."""
    return ast.parse(path.read_text("utf-8"))


def name_of(path: Path) -> str:
    """Return a path as a person would say it."""
    return path.relative_to(ROOT).as_posix()
