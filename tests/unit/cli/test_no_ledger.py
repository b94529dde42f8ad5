"""Without a ledger: one sentence and one exit code, and nothing is made by looking."""

import pytest
from typer.testing import CliRunner

from lingqian.cli.main import COMMANDS, app, load

# Every command that needs what is in a data directory, with the arguments it cannot do without.
NEEDS = {
    "audit": (),
    "backup": ("{out}/ledger.lqb",),
    "funnel": (),
    "key enrol": ("shop",),
    "key list": (),
    "key passkeys": ("shop",),
    "key revoke": ("shop",),
    "migrate": (),
    "rebuild": ("--check",),
    "reconcile": (),
    "trail": ("tu_00000000000000000000000000",),
    "vault rotate": (),
}
# Those that make a ledger, or read nothing but settings.
NEEDS_NOT = {
    "channel check",
    "config show",
    "demo",
    "key new",
    "restore",
    "serve",
    "topic check",
    "topic create",
    "topic refill",
}


def of_a_folder():
    """Yield every command there is that takes a data directory as its ledger's."""
    for row in COMMANDS:
        command = load(row)
        for name, each in getattr(command, "commands", {"": command}).items():
            words = [option.envvar for option in each.params if option.name == "data"]
            if words and words != [None]:
                yield f"{row.name} {name}".strip()


def test_every_command_is_on_one_list_or_the_other():
    """A command added later has to say what it does without a ledger."""
    assert set(of_a_folder()) == {*NEEDS, *NEEDS_NOT}


@pytest.mark.parametrize("is_there", [True, False], ids=["empty", "missing"])
@pytest.mark.parametrize("name", NEEDS)
def test_no_ledger_is_told_the_same_way_everywhere(name, is_there, tmp_path):
    """A typing mistake in --data must not leave a ledger behind that answers "nothing"."""
    data = tmp_path / "data"
    if is_there:
        data.mkdir()
    arguments = [each.format(out=tmp_path) for each in NEEDS[name]]
    told = CliRunner().invoke(app, [*name.split(), *arguments, "--data", str(data)])
    expected = f"lingqian: there is no ledger at {data / 'ledger.db'}; lingqian serve makes one\n"
    assert (told.exit_code, told.stdout, told.stderr) == (2, "", expected)
    assert [*tmp_path.rglob("*")] == ([data] if is_there else [])


def test_a_new_key_makes_the_ledger_it_opens(tmp_path):
    """The way in: the first key is made before the first start."""
    data = tmp_path / "data"
    assert CliRunner().invoke(app, ["key", "new", "shop", "--data", str(data)]).exit_code == 0
    told = CliRunner().invoke(app, ["key", "list", "--data", str(data)])
    assert (told.exit_code, "shop" in told.stdout) == (0, True)
