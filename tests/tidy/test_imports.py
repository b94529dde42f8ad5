"""Each import contract is seen to break on a planted violation."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tidy.text import ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
    "contracts"
]
PURE = next(row for row in CONTRACTS if row["name"] == "The core is pure")
WIRED = next(row for row in CONTRACTS if row["name"] == "Adapters are wired only in compose")
CHANNELS = next(row for row in CONTRACTS if row["name"] == "Channels are wired only in compose")
ALL = {row["name"] for row in CONTRACTS}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Copy the package and its contracts to a place where they can be spoilt."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    ignored = shutil.ignore_patterns("__pycache__", "static")
    shutil.copytree(ROOT / "src" / "lingqian", tmp_path / "src" / "lingqian", ignore=ignored)
    simulator = ROOT / "simulator" / "lingqian_simulator"
    shutil.copytree(simulator, tmp_path / "src" / "lingqian_simulator", ignore=ignored)
    return tmp_path


def plant(house: Path, name: str, text: str) -> None:
    """Add a module to the copy."""
    path = house / "src" / "lingqian" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")


def broken(house: Path) -> tuple[set[str], str]:
    """Return the names of the contracts that the copy breaks, and the whole report."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=house,
        env={**os.environ, "PYTHONPATH": str(house / "src"), "COLUMNS": "500"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    kept = {name for name in ALL if f"{name} KEPT" in done.stdout}
    lost = {name for name in ALL if f"{name} BROKEN" in done.stdout}
    assert kept | lost == ALL, done.stdout + done.stderr
    assert (done.returncode != 0) == bool(lost)
    return lost, done.stdout


def test_the_house_as_it_stands_breaks_nothing(house):
    """The control: what the tests below plant is what breaks."""
    assert broken(house)[0] == set()


def test_a_lower_room_may_not_import_a_higher_one(house):
    """Else there is no order in which to understand them."""
    plant(house, "kernel/planted.py", "from lingqian import ledger\n")
    assert broken(house)[0] == {"Rooms are layered"}


def test_subject_rooms_may_not_import_each_other(house):
    """What crosses rooms is written in flows, where it is looked for."""
    plant(house, "redpacket/planted.py", "from lingqian import risk\n")
    assert broken(house)[0] == {"Rooms are layered"}


def test_a_new_room_must_be_placed(house):
    """A room outside the drawing would be bound by nothing."""
    plant(house, "attic/__init__.py", "")
    assert broken(house)[0] == {"Rooms are layered"}


def test_no_core_room_may_reach_the_outside(house):
    """A decision that reads a clock cannot be replayed."""
    for room in PURE["source_modules"]:
        lines = [f"import {name}" for name in PURE["forbidden_modules"]]
        place = room.removeprefix("lingqian.").replace(".", "/")
        is_room = (house / "src" / "lingqian" / place).is_dir()
        name = f"{place}/planted.py" if is_room else f"{place}.py"
        plant(house, name, "\n".join([*lines, ""]))
    lost, report = broken(house)
    assert lost == {"The core is pure"}
    for room in PURE["source_modules"]:
        for name in PURE["forbidden_modules"]:
            assert f"{room} is not allowed to import {name}:" in report


def test_only_compose_wires_storage(house):
    """Else the choice of the database leaks into the pages."""
    lines = [f"import {name}" for name in WIRED["protected_modules"]]
    plant(house, "web/planted.py", "\n".join([*lines, ""]))
    lost, report = broken(house)
    assert lost == {"Adapters are wired only in compose"}
    for name in WIRED["protected_modules"]:
        assert f"{name}:" in report


def test_only_compose_wires_channels(house):
    """A page that knows which channel it speaks to cannot be moved to another."""
    lines = [f"import {name}" for name in CHANNELS["protected_modules"]]
    plant(house, "web/planted.py", "\n".join([*lines, ""]))
    lost, report = broken(house)
    assert lost == {"Channels are wired only in compose"}
    for name in CHANNELS["protected_modules"]:
        assert f"{name}:" in report


def test_channels_may_not_know_each_other(house):
    """What two of them share belongs into the port."""
    plant(house, "channels/faulty/planted.py", "from lingqian.channels import wechatpay\n")
    lost, _ = broken(house)
    assert "Channels do not know each other" in lost


def test_simulator_and_wallet_share_no_code(house):
    """A mistake that both made in one place would never be seen."""
    plant(house, "channels/planted.py", "import lingqian_simulator\n")
    assert broken(house)[0] == {"The simulator and the wallet share no code"}
    plant(house, "channels/planted.py", "")
    plant(house, "../lingqian_simulator/planted.py", "import lingqian\n")
    assert broken(house)[0] == {"The simulator and the wallet share no code"}


def test_modules_of_a_room_may_not_go_in_circles(house):
    """Two modules that need each other are one module."""
    plant(house, "ledger/planted_a.py", "from lingqian.ledger import planted_b\n")
    plant(house, "ledger/planted_b.py", "from lingqian.ledger import planted_a\n")
    assert broken(house)[0] == {"No cycles inside a room"}
