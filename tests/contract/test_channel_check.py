"""`lingqian channel check` against the simulator: what is good, and each thing that is not."""

import asyncio
import json
import time
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from contract.stage import simulated
from lingqian.channels.wechatpay.check import check_files, check_hosts
from lingqian.cli.main import app


def findings(folder, change=None, mode="public_key", skew_s=0):
    """Walk the checklist of the simulator's merchant, after a change."""

    def clock():
        return time.time_ns() // 1_000 + skew_s * 1_000_000

    async def walk():
        async with simulated(mode)(folder) as stage:
            for path in folder.iterdir():
                path.chmod(0o600)
            row = stage.channel.setting
            row = change(row, stage) if change else row
            found = list(check_files(row))
            if all(each.is_good for each in found):
                found += [each async for each in check_hosts(row, clock)]
            return found

    return asyncio.run(asyncio.wait_for(walk(), 60))


def bad(found):
    """Return the names of what is not good, without addresses."""
    return [each.name.partition(" ")[0] for each in found if not each.is_good]


@pytest.mark.parametrize("mode", ["public_key", "certificate", "gradual"])
def test_a_sound_account_is_good_in_every_line(tmp_path, mode):
    """On both hosts, and it moves no money."""
    found = findings(tmp_path, mode=mode)
    assert bad(found) == []
    names = [each.name.partition(" ")[0] for each in found]
    assert [names.count(name) for name in ("host", "clock", "signature", "answer")] == [2] * 4
    assert "merchant_certificate" in names


def opened(row, _stage):
    """Let everybody read the key."""
    Path(row.merchant_key_file).chmod(0o644)
    return row


def shortened(row, _stage):
    """Lose a letter of the APIv3 key."""
    Path(row.api_v3_key_file).write_text("x" * 31, "ascii")
    return row


def other_serial(row, _stage):
    """Name another certificate's serial."""
    return msgspec.structs.replace(row, merchant_serial="ABC")


def unnamed_serial(row, _stage):
    """Name another serial, and no certificate that would give it away."""
    return msgspec.structs.replace(row, merchant_serial="ABC", merchant_certificate_file="")


def other_id(row, _stage):
    """Name another public key's id."""
    return msgspec.structs.replace(row, public_key_id="PUB_KEY_ID_1")


def dead_host(row, _stage):
    """Name a second host that is not there."""
    return msgspec.structs.replace(row, hosts=(row.hosts[0], "http://127.0.0.1:9"))


def no_reports(row, _stage):
    """Say nothing of what the transfers are for."""
    return msgspec.structs.replace(row, payout_reports=())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (opened, ["file"]),
        (shortened, ["api_v3_key"]),
        (other_serial, ["merchant_certificate"]),
        (unnamed_serial, ["signature", "answer"] * 2),
        (other_id, ["answer"] * 2),
        (dead_host, ["host"]),
        (no_reports, ["payout"]),
    ],
)
def test_each_mistake_is_found_where_it_is_and_says_what_to_do(tmp_path, change, expected):
    """The mistakes people make on their first day, one by one."""
    found = findings(tmp_path, change)
    assert bad(found) == expected
    assert all(each.advice for each in found if not each.is_good)


def test_a_wrong_clock_is_told_as_a_wrong_clock(tmp_path):
    """All else fails with it, and the reason is not in the keys."""
    found = findings(tmp_path, skew_s=-400)
    clocks = [each for each in found if each.name.startswith("clock")]
    assert [each.is_good for each in clocks] == [False, False]
    assert all("-40" in each.says or "-39" in each.says for each in clocks)


def test_the_command_reads_the_rows_and_says_where_to_read_on(tmp_path):
    """Its exit code is for scripts, its lines for people."""
    result = CliRunner().invoke(app, ["channel", "check", "--data", str(tmp_path)])
    assert result.exit_code == 2
    assert "connect-a-merchant-account" in result.output
    text = """
[[channels]]
account = "main"
mchid = "1900000001"
appids = { jsapi = "wx0123456789abcdef" }
merchant_key_file = "keys/apiclient_key.pem"
merchant_serial = "5157F09E"
api_v3_key_file = "keys/api_v3_key"
public_key_file = "keys/pub_key.pem"
public_key_id = "PUB_KEY_ID_0119"
notify_base_url = "https://wallet.example"
"""
    (tmp_path / "lingqian.toml").write_text(text, "utf-8")
    line = ["channel", "check", "main", "--data", str(tmp_path)]
    result = CliRunner().invoke(app, [*line, "--json"])
    assert result.exit_code == 1
    (found,) = json.loads(result.output).values()
    assert found[0]["is_good"] is False
    assert "No such file" in found[0]["says"]
    result = CliRunner().invoke(app, [*line, "--offline"])
    assert "BAD" in result.output
    assert "→" in result.output


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('mode = "both"', "mode is one of"),
        ('algorithm = "DSA"', "algorithm is one of"),
        ('public_key_id = "0119"', "PUB_KEY_ID_"),
        ('notify_base_url = "http://wallet.example"', "https"),
        ('notify_base_url = "https://wallet.example/?a=b"', "https"),
        ('hosts = ["http://127.0.0.1.evil.example"]', "https"),
        ('appids = { qq = "wx0" }', "no product called qq"),
        ('api_v3_key = "0123"', "api_v3_key"),
        ('account = "Main Account"', "account"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_their_reason(tmp_path, line, words):
    """At the start, not at the first payment."""
    row = {
        "account": '"main"',
        "mchid": '"1900000001"',
        "appids": '{ jsapi = "wx0" }',
        "merchant_key_file": '"k"',
        "merchant_serial": '"5157F09E"',
        "api_v3_key_file": '"a"',
        "public_key_file": '"p"',
        "public_key_id": '"PUB_KEY_ID_0119"',
        "notify_base_url": '"https://wallet.example"',
    }
    name, _, value = line.partition(" = ")
    row[name] = value
    text = "\n".join(["[[channels]]", *(f"{key} = {row[key]}" for key in row)])
    (tmp_path / "lingqian.toml").write_text(text, "utf-8")
    result = CliRunner().invoke(app, ["channel", "check", "--data", str(tmp_path)])
    assert result.exit_code == 2
    assert words in result.output
