"""A wallet with a merchant account at a simulated WeChat Pay, each a real server on loopback."""

import asyncio
import http.client
import itertools
import json
import random
import socket
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from api.caller import House
from lingqian.compose import Config
from lingqian_simulator.server import Simulator, SimulatorConfig

ACCOUNT = "main"
OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
_names = itertools.count()


class Platform:
    """A simulator in a thread of its own, and its control calls."""

    def __init__(self, **settings):
        self.simulator = Simulator(SimulatorConfig(**settings))
        self._ready = threading.Event()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)
        self._thread.start()
        assert self._ready.wait(60), "the simulator does not start"
        if self._failure is not None:
            raise self._failure

    def _run(self):
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed to the test
            self._failure = error
            self._ready.set()

    async def _serve(self):
        self.loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        await self.simulator.start()
        self._ready.set()
        await self._over.wait()
        await self.simulator.stop()

    def stop(self):
        """End it."""
        self.loop.call_soon_threadsafe(self._over.set)
        self._thread.join(30)

    def control(self, method, path, body=None):
        """Send a control call and return what it answers."""
        where = urlsplit(self.simulator.control_url)
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
        with closing(connection):
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = json.loads(answer.read())
        assert answer.status < 300, (path, content)
        return content

    def pay(self, number, **wish):
        """Let the person pay an attempt."""
        return self.control("POST", f"/control/orders/{number}/pay", wish)

    def arm(self, name, **more):
        """Arm a fault."""
        return self.control("POST", "/control/faults", {"name": name, **more})

    def disarm(self):
        """Disarm everything."""
        return self.control("DELETE", "/control/faults")


def channel_row(simulator, folder, port):
    """Write the merchant's files as a download would, and return the account's settings."""
    merchant = simulator.merchant
    keys = folder / "wechatpay"
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = {
        "apiclient_key.pem": merchant.private_key_pem,
        "api_v3.key": merchant.api_v3_key,
        "pub_key.pem": merchant.platform_public_key_pem,
    }
    for serial, pem in merchant.platform_certificates.items():
        files[f"platform_{serial}.pem"] = pem
    for name, text in files.items():
        path = keys / name
        path.write_text(text)
        path.chmod(0o600)
    products = ("jsapi", "mini_program", "app", "h5", "native")
    return {
        "account": ACCOUNT,
        "mchid": merchant.mchid,
        "appids": dict.fromkeys(products, merchant.appid),
        "hosts": list(simulator.base_urls),
        "merchant_key_file": "wechatpay/apiclient_key.pem",
        "merchant_serial": merchant.serial_no,
        "api_v3_key_file": "wechatpay/api_v3.key",
        "public_key_file": "wechatpay/pub_key.pem",
        "public_key_id": merchant.platform_public_key_id,
        "platform_certificate_files": [
            f"wechatpay/platform_{serial}.pem" for serial in merchant.platform_certificates
        ],
        "notify_base_url": f"http://127.0.0.1:{port}",
        "payout_appid": merchant.appid,
        "payout_scene_id": "1000",
        "payout_reports": [
            {"info_type": "活动名称", "info_content": "提现"},
            {"info_type": "奖励说明", "info_content": "提现到零钱"},
        ],
        "timeout_s": 2,
    }


def free_port():
    """Return a port that is free and that no outgoing call takes meanwhile."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as found:
            if found.connect_ex(("127.0.0.1", port)):
                return port


class Till:
    """A wallet, its platform, and somebody who may do everything."""

    def __init__(self, folder: Path, platform: Platform, **settings):
        self.folder = folder
        self.platform = platform
        self.port = free_port()
        self.api = None
        row = channel_row(platform.simulator, folder, self.port)
        self.config = msgspec.convert(
            {
                "channels": self.accounts(row),
                "simulator_control_url": platform.simulator.control_url,
                **settings,
            },
            Config,
        )
        self.start()

    def accounts(self, row):
        """Return the settings of every account, of the one the merchant has."""
        return [row]

    def start(self):
        """Start the wallet, as it is left or anew."""
        self.house = House(self.folder, self.config, self.port)
        self.house.start()
        self.api = self.api or self.house.caller()

    def stop(self):
        """Stop the wallet."""
        self.house.stop()

    def top_up(self, user_id, once=None, **more):
        """Open a top-up of 50 yuan over JSAPI, unless said otherwise, and return the answer."""
        body = {"user_id": user_id, "product": "jsapi", "payer": {"openid": OPENID}, **more}
        if "plan_id" not in body:
            body.setdefault("amount_fen", 5_000)
        told = self.api.post("/v1/top-ups", body, once=once or f"t{next(_names)}")
        assert told.status in (200, 201), told
        return told.body

    def order(self, order_id):
        """Return an order as it is now."""
        told = self.api.get(f"/v1/top-ups/{order_id}")
        assert told.status == 200, told
        return told.body

    def state(self, order_id):
        """Return an order's state in a word."""
        return self.order(order_id)["state"]

    def number(self, order):
        """Return the newest attempt's number."""
        return order["attempts"][-1]["id"]

    def fen(self, user_id):
        """Return a balance."""
        return self.api.balance(user_id)["amount_fen"]

    def count(self, metric, **labels):
        """Return one counter of /metrics; 0 when it has not been counted."""
        text = self.api.get("/metrics").body.decode()
        for line in text.splitlines():
            if line.startswith(metric) and all(f'{k}="{v}"' in line for k, v in labels.items()):
                return float(line.rpartition(" ")[2])
        return 0.0


@contextmanager
def tilling(folder, **settings):
    """Run a wallet and a platform for a while."""
    simulator = settings.pop("simulator", {})
    platform = Platform(**simulator)
    try:
        till = Till(folder, platform, **settings)
        try:
            yield till
        finally:
            till.stop()
    finally:
        platform.stop()
