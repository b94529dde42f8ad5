"""The entry of the command line."""

from typer.testing import CliRunner

from lingqian import __version__
from lingqian.cli.main import app


def test_version_prints_the_package_version():
    """A bug report starts with it."""
    answer = CliRunner().invoke(app, ["--version"])
    assert (answer.exit_code, answer.stdout) == (0, f"lingqian {__version__}\n")
