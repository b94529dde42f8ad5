"""The code keeps the house rules that no linter holds."""

import ast
import re
from pathlib import Path

import pytest

from tidy.text import ROOT, files, name_of, tree

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
CODE = (".py", ".js", ".mjs", ".sql", ".css", "Makefile", ".toml", ".ci/run")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
# An exception and its reason stand on the line they excuse; not counted, as in ruff.
PRAGMA = re.compile(r"\s*#\s*(noqa|type): .*$")
BARE_IGNORE = re.compile(r"#\s*type:\s*ignore(?!\[[a-z-]+(, *[a-z-]+)*\]\s+\S)")
BARE_NOQA = re.compile(r"#\s*noqa(?!: [A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)*\s+\S)")
# A whole process looks at these: a server beside the test that stopped its clock never wakes again.
SHARED_CLOCK = re.compile(r"setattr\(\s*(time|asyncio)\b|patch\(\s*[\"'](time|asyncio)\.")
DRAWERS = re.compile(r"^(utils?|misc|common|managers?|helpers?)$")


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return every function of a file, nested ones too."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree(path)) if isinstance(node, kinds)]


def found(pattern: re.Pattern[str], *endings: str) -> list[str]:
    """Return every place of our files that matches, but for the samples in this one."""
    return [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in files(*endings)
        if path != Path(__file__)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def test_lines_end_at_the_hundredth_column():
    """Two files side by side on one screen; ruff holds it for Python only."""
    long = [
        f"{name_of(path)}:{number}"
        for path in files(*CODE)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if len(PRAGMA.sub("", line)) > COLUMNS_MAX and "://" not in line
    ]
    assert long == []


def test_functions_fit_on_a_page():
    """A function that must be scrolled is not read whole."""
    long = [
        f"{name_of(path)}:{node.lineno}: {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for path in files(".py")
        for node in functions(path)
        if node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_nothing_is_marked_as_unfinished():
    """What is not done is said in an issue, not left in a file."""
    assert found(UNFINISHED, *CODE, ".md", ".html", ".vue", ".ts") == []


def test_every_exception_to_a_check_names_its_rule_and_its_reason():
    """An exception without a reason is a rule that silently ended."""
    assert found(BARE_IGNORE, ".py") + found(BARE_NOQA, ".py") == []


def test_no_test_stops_the_clock_of_its_process():
    """What has to stand still is frozen in a process of its own, or in one module only."""
    alone = ROOT / "tests" / "statistics" / "freezing.py"
    assert [
        line for line in found(SHARED_CLOCK, ".py") if not line.startswith(name_of(alone))
    ] == []


@pytest.mark.parametrize(
    ("pattern", "bad", "good"),
    [
        (SHARED_CLOCK, 'patch.setattr(asyncio, "sleep", quick)', 'setattr(webhook, "WAITS_S", ())'),
        (SHARED_CLOCK, 'monkeypatch.setattr(time, "time", x)', 'setattr(timetable, "time", x)'),
        (BARE_IGNORE, "x = 1  # type: ignore", "x = 1  # type: ignore[misc]  # stub is wrong"),
        (BARE_IGNORE, "x = 1  # type: ignore[misc]", "x = 1"),
        (BARE_NOQA, "x = 1  # noqa", "x = 1  # noqa: E501 - an address"),
        (BARE_NOQA, "x = 1  # noqa: E501", "x = 1  # noqa: E501, F401 - an address"),
        (UNFINISHED, "# TODO: later", "mkstemp XXXXXX"),
    ],
)
def test_the_patterns_above_find_what_they_are_for(pattern, bad, good):
    """The control: a pattern that finds nothing would keep the tests above green for ever."""
    assert pattern.search(bad)
    assert not pattern.search(good)


def test_no_module_is_a_drawer_for_everything():
    """A thing is found by its noun."""
    drawers = [name_of(path) for path in files(".py") if DRAWERS.match(path.stem)]
    drawers += [name_of(path) for path in files(".py") if DRAWERS.match(path.parent.name)]
    assert drawers == []


def private_imports(path: Path) -> list[str]:
    """Return what a file imports of ours that begins with an underscore."""
    found_here = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found_here += [
            f"{name_of(path)}:{node.lineno}: {name}"
            for name in names
            if name.startswith("lingqian.") and re.search(r"\._(?!_)", name)
        ]
    return found_here


def test_rooms_do_not_reach_for_private_names():
    """A room's doors are its modules and their public names (docs/decisions/0002)."""
    assert [line for path in files(".py") for line in private_imports(path)] == []


def test_every_test_says_why():
    """A test that fails next year is read by someone who did not write it."""
    silent = [
        f"{name_of(path)}:{node.lineno}: {node.name}"
        for path in files(".py")
        if path.is_relative_to(ROOT / "tests") and path.name.startswith("test_")
        for node in functions(path)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []
