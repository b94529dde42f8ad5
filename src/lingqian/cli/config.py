"""Configuration: the only reader of the environment (配置).

A setting comes from `LINGQIAN_NAME`, else from the file that `LINGQIAN_NAME_FILE` names, else from
`lingqian.toml` in the data directory, else from its default. What is not known is refused.
"""

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, NoReturn

import msgspec
import typer
from msgspec.structs import FieldInfo, fields

from lingqian.compose import SETTINGS, Config, shown_address

PREFIX: Final = "LINGQIAN_"
FILE_SUFFIX: Final = "_FILE"
FOLDER_VARIABLE: Final = "LINGQIAN_DATA"
# Variables that share our prefix and say nothing about a wallet: the folder, the server that a
# command asks and its key, and the test doors'.
_ELSEWHERE: Final = frozenset(
    PREFIX + word
    for word in (
        "DATA",
        "TEST_REQUIRE",
        "TEST_KAFKA",
        "TEST_DATABASE",
        "STATISTICS",
        "CRASH",
        "SOAK",
        "CLUSTER",
        "FUZZ",
        "SIMULATION",
        "ACCEPTANCE",
        "URL",
        "KEY",
    )
)
_FIELDS: Final[dict[str, FieldInfo]] = {field.name: field for field in fields(Config)}

DataFolder = Annotated[
    Path, typer.Option("--data", envvar=FOLDER_VARIABLE, help="The data directory.")
]
DATA_DEFAULT: Final = Path("data")

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Settings and where they come from."
)


class SettingError(ValueError):
    """A setting that cannot be used, told in one line."""


class Setting(NamedTuple):
    """The value of a setting as it was found, and where."""

    value: object
    source: str


def load(
    folder: Path, environment: Mapping[str, str], roles: Sequence[str] | None = None
) -> Config:
    """Return the configuration of a data directory; `roles` are what the command itself was told.

    Raises: SettingError naming the setting and its source.
    """
    found = read(folder, environment)
    if roles:
        found["roles"] = Setting(tuple(roles), "--role")
    values = {name: setting.value for name, setting in found.items()}
    try:
        return msgspec.convert(values, Config)
    except msgspec.ValidationError as error:
        raise SettingError(_told(error, found)) from error


def load_or_exit(folder: Path, roles: Sequence[str] | None = None) -> Config:
    """Return the configuration of a data directory under this process's environment.

    A setting that cannot be used ends the command with exit code 2 and one line.
    """
    try:
        return load(folder, os.environ, roles)
    except SettingError as error:
        _refuse(error)


def read(folder: Path, environment: Mapping[str, str]) -> dict[str, Setting]:
    """Find every setting that is given, the environment before the file.

    Raises: SettingError.
    """
    return {**_from_file(folder / SETTINGS), **_from_environment(environment)}


def _from_file(path: Path) -> dict[str, Setting]:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingError(f"{path} cannot be read: {error}") from error
    for name in values:
        _known(name, str(path))
    return {name: Setting(value, str(path)) for name, value in values.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    for variable in sorted(environment):
        if not variable.startswith(PREFIX) or variable in _ELSEWHERE:
            continue
        name = variable.removeprefix(PREFIX)
        text = environment[variable]
        if name.endswith(FILE_SUFFIX):
            name = name.removesuffix(FILE_SUFFIX)
            if PREFIX + name in environment:
                raise SettingError(f"{variable} and {PREFIX}{name} are both set; keep one")
            text = _secret(variable, Path(text))
        field = _known(name.lower(), variable)
        found[field.name] = Setting(_value(field, text, variable), variable)
    return found


def _secret(variable: str, path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise SettingError(f"{variable} names {path}, which cannot be read: {error}") from error


def _known(name: str, source: str) -> FieldInfo:
    field = _FIELDS.get(name)
    if field is not None:
        return field
    near = get_close_matches(name, _FIELDS, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise SettingError(f"{source}: no setting is called {name}{hint}")


def _value(field: FieldInfo, text: str, variable: str) -> object:
    """Read a variable's text as its setting's type; rows are written as JSON."""
    try:
        if isinstance(field.default, str | int):
            return msgspec.convert(text, field.type, strict=False)
        return json.loads(text)
    except ValueError as error:
        raise SettingError(f"{variable}={text}: {error}") from error


def _told(error: msgspec.ValidationError, found: Mapping[str, Setting]) -> str:
    """Say what is wrong with a setting, and where it was set."""
    message, _, path = str(error).partition(" - at `$")
    name = path.strip("`").lstrip(".").partition("[")[0].partition(".")[0]
    if name in found:
        return f"{found[name].source}: {path.strip('`').lstrip('.')}: {message}"
    return message


def _refuse(error: SettingError) -> NoReturn:
    typer.echo(f"lingqian: {error}", err=True)
    raise typer.Exit(2)


def _shown(field: FieldInfo, config: Config, found: Mapping[str, Setting]) -> dict[str, Any]:
    value = msgspec.to_builtins(getattr(config, field.name))
    if field.name == "database":
        value = shown_address(value)
    source = found[field.name].source if field.name in found else "default"
    return {"name": field.name, "value": value, "source": source}


@app.callback()
def root() -> None:
    """Look at the settings of a data directory."""


@app.command()
def show(
    data: DataFolder = DATA_DEFAULT,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print every setting, its value and where the value comes from."""
    config = load_or_exit(data)
    found = read(data, os.environ)
    rows = [_shown(field, config, found) for field in _FIELDS.values()]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        value = json.dumps(row["value"], ensure_ascii=False)
        typer.echo(f"{row['name']:<28}{value:<16}  {row['source']}")
