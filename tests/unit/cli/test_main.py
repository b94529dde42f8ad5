"""The entry of the command line."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lingqian import __version__
from lingqian.cli import main as entry
from lingqian.cli.main import COMMANDS, app, load
from lingqian.kernel.fault import Fenced


def test_version_prints_the_package_version():
    """A bug report starts with it."""
    answer = CliRunner().invoke(app, ["--version"])
    assert (answer.exit_code, answer.stdout) == (0, f"lingqian {__version__}\n")


def test_help_lists_every_command_and_loads_none():
    """Help must come at once, so no command's module may be imported for it."""
    program = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from lingqian.cli.main import COMMANDS, app\n"
        "text = CliRunner().invoke(app, ['--help']).stdout\n"
        "assert all(row.words in text for row in COMMANDS), text\n"
        "heavy = ('apsw', 'litestar', 'cryptography', 'uvicorn', 'aiohttp')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_every_command_loads_and_explains_itself(row):
    """A row that names a function which is not there is found here and not by a person."""
    assert load(row) is not None
    answer = CliRunner().invoke(app, [row.name, "--help"])
    assert answer.exit_code == 0, answer.output
    assert "Usage: " in answer.stdout


def test_an_unknown_command_is_refused_with_the_nearest_names():
    """A typing mistake costs one look."""
    answer = CliRunner().invoke(app, ["verfy"])
    assert answer.exit_code == 2
    assert "verify" in answer.stderr


def test_a_fault_is_told_in_one_line(monkeypatch, capsys):
    """Somebody on call reads what failed, not where in our code it was noticed."""

    def fail():
        raise Fenced("data is in use by process 7")

    monkeypatch.setattr(entry, "app", fail)
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "lingqian: data is in use by process 7\n"


def test_no_module_of_a_command_is_missing_from_the_table():
    """A command that nobody can call is a defect."""
    folder = Path(entry.__file__).parent
    parts = {"__init__", "main", "explanation", "ledger", "market", "outage", "progress", "remote"}
    modules = {path.stem for path in folder.glob("*.py")} - parts
    modules |= {path.name for path in folder.iterdir() if (path / "__init__.py").exists()}
    assert modules == {row.module.partition(".")[0] for row in COMMANDS}
