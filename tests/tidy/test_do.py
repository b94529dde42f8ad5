"""do.py: the one door, tried where it must say something clear."""

import ast
import runpy
import shutil
import sys

import do
import pytest

from tidy.text import ROOT


@pytest.fixture
def house(tmp_path, monkeypatch):
    """Stand do.py in a folder whose lock and project file may be changed."""
    for name in (do.RUN_LOCK, do.DEV_LOCK, "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.setattr(do, "ROOT", tmp_path)
    return tmp_path


def test_an_old_python_is_told_so(monkeypatch):
    """Not a traceback: most people's first contact is a wrong Python."""
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer; this is 3\.10"):
        runpy.run_path(str(ROOT / "do.py"))


def test_an_old_python_can_parse_the_file():
    """Else the words above are never reached."""
    text = (ROOT / "do.py").read_text("utf-8")
    ast.parse(text, feature_version=(3, 6))
    with pytest.raises(SyntaxError):
        ast.parse("match 1:\n    case 1: pass\n", feature_version=(3, 6))  # the control


@pytest.mark.parametrize("change", ["lock", "dependency"])
def test_environment_is_new_when_its_contents_change(house, change):
    """An environment of yesterday's lock would test yesterday's product."""
    before = do.key(do.RUN_LOCK)
    if change == "lock":
        (house / do.RUN_LOCK).write_text("aiohttp==0\n", "utf-8")
    else:
        text = (house / "pyproject.toml").read_text("utf-8")
        changed = text.replace('"typer>=', '"typer>=0.')
        assert changed != text
        (house / "pyproject.toml").write_text(changed, "utf-8")
    assert do.key(do.RUN_LOCK) != before


def test_environment_stays_when_only_a_lint_rule_changes(house):
    """Nobody should wait for an installation because a line length changed."""
    before = do.key(do.RUN_LOCK)
    text = (house / "pyproject.toml").read_text("utf-8")
    (house / "pyproject.toml").write_text(text.replace("line-length = 100", "line-length = 99"))
    assert do.key(do.RUN_LOCK) == before


def test_without_ensurepip_it_says_what_to_install(house, monkeypatch):
    """Debian's Python comes without it, and pip's own message there does not help."""
    monkeypatch.setattr(do.shutil, "which", lambda *_args, **_named: None)
    monkeypatch.setattr(do.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(SystemExit) as caught:
        do.environment(do.RUN_LOCK)
    assert str(caught.value).splitlines()[-1].strip() == "sudo apt install python3-venv"
    assert not do.is_ready(do.home_of(do.RUN_LOCK))
    assert house in do.home_of(do.RUN_LOCK).parents


def test_a_failed_installation_is_not_taken_for_an_environment(house, monkeypatch):
    """The next call has to begin again."""
    monkeypatch.setattr(do, "run_all", lambda _lines, home: home.mkdir(exist_ok=True))
    with pytest.raises(SystemExit, match="could not be built"):
        do.environment(do.DEV_LOCK)
    assert not do.is_ready(do.home_of(do.DEV_LOCK))
    assert house.exists()


def test_every_step_runs_and_one_failure_fails_all(tmp_path, capfd):
    """A red linter must not hide a red test, and a green last step must not hide a red first."""
    python = sys.executable
    steps = [
        do.Step("first", (python, "-c", "raise SystemExit(3)")),
        do.Step("second", (python, "-c", "print('was here')")),
    ]
    assert do.run_steps(tmp_path, steps) == 3
    out, err = capfd.readouterr()
    assert out == "was here\n"
    assert "FAILED first" in err
    assert "ok     second" in err


@pytest.fixture
def suite(tmp_path, monkeypatch):
    """Make a little suite of a live test and a pure one; a test passes if its file says so."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.setattr(do, "LAST_FAILED", tmp_path / ".pytest_cache/v/cache/lastfailed")
    monkeypatch.chdir(tmp_path)

    def run(**bodies):
        for folder, body in bodies.items():
            (tmp_path / "tests" / folder).mkdir(parents=True, exist_ok=True)
            file = tmp_path / "tests" / folder / f"test_{folder}.py"
            file.write_text(f"from pathlib import Path\n\ndef test_it():\n    {body}\n")
        line = ("pytest", "--cache-clear", do.SEED, "tests")
        return do.run_steps(tmp_path, [do.Step("tests", line, looks_twice=True)])

    return run


ONCE = "seen = Path('seen'); was = seen.exists(); seen.touch(); assert was"


def test_a_live_test_that_fails_beside_others_is_looked_at_alone(suite, capfd):
    """It may pass then, and it is named; one that fails again fails the run."""
    assert suite(api=ONCE, unit="pass") == 0
    name = "tests/api/test_api.py::test_it"
    assert f"SHAKY: failed once, passed alone: {name}" in capfd.readouterr()[1]
    assert suite(api="assert False") == 1
    assert f"SHAKY: failed once, failed alone again: {name}" in capfd.readouterr()[1]


def test_each_shaky_test_is_told_by_its_own_end(suite, capfd):
    """One that fails again must not lay its end on a neighbour that passed."""
    assert suite(api=ONCE, cluster="assert False") == 1
    told = capfd.readouterr()[1]
    assert "SHAKY: failed once, passed alone: tests/api/test_api.py::test_it" in told
    assert "SHAKY: failed once, failed alone again: tests/cluster/test_cluster.py::test_it" in told


def test_a_test_of_pure_code_has_no_second_look(suite, capfd):
    """What depends on nothing but its arguments has no excuse, nor have many at once."""
    assert suite(unit=ONCE) == 1
    assert suite(unit="assert False", api="assert False") == 1
    assert "SHAKY" not in capfd.readouterr()[1]
    assert do.few_live([]) == []
    assert do.few_live([f"tests/api/test_a.py::test_{n}" for n in range(4)]) == []


def test_full_sizes_are_asked_for_by_one_variable():
    """The tests and the command have to agree on the word."""
    (step,) = do.COMMANDS["statistics"].plan(["-x"])
    assert step.adds == (("LINGQIAN_STATISTICS", "full"),)
    assert step.line[:2] == ("pytest", "tests/statistics")
    assert step.line[-1] == "-x"


def test_fast_leaves_out_only_the_slower_folders():
    """Lint, types and imports are always part of it."""
    titles = [step.title for step in do.COMMANDS["test"].plan(["--fast"])]
    assert titles == [step.title for step in do.COMMANDS["test"].plan([])]
    assert "tests/tidy" in do.COMMANDS["test"].plan(["--fast"])[-1].line
    assert "--fast" not in do.COMMANDS["test"].plan(["--fast"])[-1].line


def test_an_unknown_command_lists_the_known_ones(capsys):
    """A typing error is answered with help, and with a code a script can see."""
    assert do.main(["tset"]) == 2
    assert "python3 do.py COMMAND" in capsys.readouterr().err
