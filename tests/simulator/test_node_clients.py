"""Two clients in JavaScript, unmodified but for their base address, against the simulator."""

import json
import os
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from need import needs
from npm import installed

HERE = Path(__file__).parent / "node"
RUN_S = 60
# What an order of 50 yuan with 10 of it refunded does to the account.
FUNDS = ("交易", "扣除交易手续费", "退款", "退还交易手续费")
pytestmark = [pytest.mark.needs("node"), pytest.mark.needs("npm")]


@pytest.fixture(scope="session")
def packages():
    """Install the locked packages into the environment, once for this lock."""
    return installed(HERE)


def run(script, running, packages, number):
    """Let a script live through an order, and return what it saw."""
    now = datetime.fromisoformat(running.control("/control/clock")["now"])
    morning = now.replace(hour=10, minute=0, second=0) + timedelta(days=1)
    setting = msgspec.to_builtins(running.merchant) | {
        "base_url": running.base_url,
        "control_url": running.simulator.control_url,
        "number": number,
        "date": now.strftime("%Y-%m-%d"),
        "advance_s": (morning - now).total_seconds(),
    }
    done = subprocess.run(
        [needs("node"), str(HERE / script)],
        input=json.dumps(setting),
        env={**os.environ, "NODE_PATH": str(packages)},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("script", "mode"),
    [
        ("axios_plugin.js", "certificate"),
        ("axios_plugin.js", "public_key"),
        ("node_v3.js", "certificate"),
        ("node_v3.js", "public_key"),
    ],
)
def test_an_order_lives_through_a_client_in_javascript(start, packages, script, mode):
    """Pay, notify, query, close, refund, bill; a changed notice is refused by their receivers."""
    running = start(mode=mode)
    seen = run(script, running, packages, "TU_700001")
    assert "prepay_id" in json.dumps(seen["prepay"])
    assert seen["paid"]["amount"]["total"] == 5000
    assert seen["query"]["trade_state"] == "SUCCESS"
    assert seen["close"] == 204
    assert seen["refund"]["status"] == "PROCESSING"
    assert seen["refunded"]["refund_status"] == "SUCCESS"
    assert seen["forged"] is None
    if script == "axios_plugin.js":
        payment, refund = seen["bill"]["rows"]
        assert (payment["订单金额"], refund["申请退款金额"]) == ("50.00", "10.00")
        assert seen["bill"]["summary"]["总交易单数"] == "2.0"
        assert sorted(each["业务类型"] for each in seen["funds"]["rows"]) == sorted(FUNDS)
    else:
        assert len(seen["bill"]["lines"]) == 6
        assert "`TU_700001" in seen["bill"]["lines"][1]
        shown = [line.split(",")[4] for line in seen["funds"]["lines"] if line.startswith("`2")]
        assert sorted(shown) == sorted(f"`{each}" for each in FUNDS)
