"""Where a setting comes from, and how a wrong one is told."""

import json

import pytest
from typer.testing import CliRunner

from lingqian.cli.config import SettingError, load, read
from lingqian.cli.main import app
from lingqian.compose import Config


def write(folder, text):
    """Write a settings file."""
    (folder / "lingqian.toml").write_text(text, "utf-8")


def test_nothing_set_gives_the_defaults(tmp_path):
    """The product starts without any configuration."""
    assert load(tmp_path, {"PATH": "/bin"}) == Config()


def test_environment_goes_before_the_file(tmp_path):
    """An operator overrides a file that came with an image."""
    write(tmp_path, 'port = 9000\nhost = "::1"\n')
    config = load(tmp_path, {"LINGQIAN_PORT": "9001"})
    assert (config.port, config.host) == (9001, "::1")


def test_file_variable_holds_the_value_outside_the_environment(tmp_path):
    """Container platforms hand secrets over as files."""
    (tmp_path / "host").write_text("127.0.0.2\n", "utf-8")
    config = load(tmp_path, {"LINGQIAN_HOST_FILE": str(tmp_path / "host")})
    assert config.host == "127.0.0.2"


def test_rows_of_rules_come_from_the_file_and_as_json(tmp_path):
    """A rule is a row wherever it is written."""
    write(tmp_path, '[[rules]]\nname = "big"\naction = "transfer"\nverdict = "review"\n')
    row = {"name": "big", "action": "transfer", "verdict": "review"}
    by_variable = load(tmp_path / "other", {"LINGQIAN_RULES": json.dumps([row])})
    assert load(tmp_path, {}).rules == by_variable.rules
    assert by_variable.rules[0].name == "big"


@pytest.mark.parametrize(
    ("text", "environment", "told"),
    [
        ("prot = 1", {}, "did you mean port?"),
        ("port = ", {}, "cannot be read"),
        ('port = "8080"', {}, "lingqian.toml: port: Expected `int`"),
        ("port = 8080.0", {}, "lingqian.toml: port: Expected `int`"),
        ("", {"LINGQIAN_PROT": "1"}, "LINGQIAN_PROT: no setting is called prot; did you mean port"),
        ("", {"LINGQIAN_PORT": "x"}, "LINGQIAN_PORT=x"),
        ("", {"LINGQIAN_PORT": "70000"}, "LINGQIAN_PORT=70000"),
        ("", {"LINGQIAN_PORT": "1", "LINGQIAN_PORT_FILE": "p"}, "are both set"),
        ("", {"LINGQIAN_PORT_FILE": "nowhere"}, "LINGQIAN_PORT_FILE names nowhere"),
        ("", {"LINGQIAN_RULES": "[{"}, "LINGQIAN_RULES=[{"),
        ("", {"LINGQIAN_PROFILE": "open"}, "profile is one of"),
        ("", {"LINGQIAN_BEACON": '{"urls": 1}'}, "LINGQIAN_BEACON: beacon.urls: Expected `array`"),
        (
            '[[limits]]\naccount_class = 3\nspan = "day"\ncap = -1\nsource = "house"',
            {},
            "limits[0].cap: Expected `int` >= 0",
        ),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(tmp_path, text, environment, told):
    """A wallet must not start on a setting that does nothing or something else."""
    write(tmp_path, text)
    with pytest.raises(SettingError) as caught:
        load(tmp_path, environment)
    assert told in str(caught.value)


DATABASE = 'database = "mysql://wallet@127.0.0.1/lingqian"\n'


def test_roles_that_a_command_is_told_go_before_all_else(tmp_path):
    """One settings file for every process; what each is there for is said when it is started."""
    write(tmp_path, DATABASE + 'roles = ["lane"]\n')
    assert load(tmp_path, {}).roles == ("lane",)
    assert load(tmp_path, {"LINGQIAN_ROLES": '["relay"]'}).roles == ("relay",)
    assert load(tmp_path, {"LINGQIAN_ROLES": '["relay"]'}, ["edge", "jobs"]).roles == (
        "edge",
        "jobs",
    )
    with pytest.raises(SettingError, match=r"--role: roles\[0\]: Invalid enum value 'king'"):
        load(tmp_path, {}, ["king"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('roles = ["all"]\n', "set `database`"),
        (DATABASE + "[peers]\nlease_s = 6\nbeat_s = 3\n", "more than two times beat_s"),
        (DATABASE + "[peers]\nlease_s = 1\n", "peers.lease_s"),
    ],
)
def test_processes_that_could_not_share_are_refused(tmp_path, text, told):
    """A file has one owner; a life that one missed renewal would end is none."""
    write(tmp_path, text)
    with pytest.raises(SettingError, match=told):
        load(tmp_path, {})


def test_variables_of_the_doors_around_us_are_no_settings(tmp_path):
    """A test run at full size starts servers under its own environment."""
    assert read(tmp_path, {"LINGQIAN_DATA": "x", "LINGQIAN_CRASH": "full"}) == {}


def test_show_names_the_source_of_every_value(tmp_path):
    """Somebody on call asks why a value is what it is."""
    write(tmp_path, "lanes = 4\n")
    answer = CliRunner().invoke(
        app,
        ["config", "show", "--json", "--data", str(tmp_path)],
        env={"LINGQIAN_PORT": "81"},
    )
    rows = {row["name"]: row for row in json.loads(answer.stdout)}
    assert set(rows) == set(Config.__struct_fields__)
    assert (rows["lanes"]["value"], rows["lanes"]["source"]) == (4, str(tmp_path / "lingqian.toml"))
    assert (rows["port"]["value"], rows["port"]["source"]) == (81, "LINGQIAN_PORT")
    assert rows["profile"]["source"] == "default"


def test_show_ends_with_two_on_a_wrong_setting(tmp_path):
    """A script can tell a wrong setting from a fault."""
    write(tmp_path, "nonsense = 1\n")
    answer = CliRunner().invoke(app, ["config", "show", "--data", str(tmp_path)])
    assert answer.exit_code == 2
    assert "nonsense" in answer.stderr
