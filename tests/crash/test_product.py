"""The whole product over HTTP, on a database server that is killed while people pay (整机断库)."""

import threading
import time

import pytest

import mariadb
from api.caller import running, wait_for
from crash.size import BOUND_S, sized

pytestmark = [pytest.mark.needs("mariadb"), pytest.mark.timeout(BOUND_S)]
KILLS = sized(1, 10)
PAYERS = 4
START_FEN = 100_000
PATIENCE_S = 120


@pytest.fixture
def server():
    """A server that nobody else uses."""
    own = mariadb.Server()
    yield own
    own.stop()


class Payer(threading.Thread):
    """Somebody who pays one fen again and again, and insists with one key until it is answered."""

    def __init__(self, api, source, target):
        super().__init__(daemon=True)
        self.api, self.source, self.target = api, source, target
        self.is_over = threading.Event()
        self.paid: list[str] = []
        self.statuses: set[int] = set()

    def run(self):
        """Pay until told that it is enough."""
        while not self.is_over.is_set():
            once = f"{self.source}-{len(self.paid)}"
            told = self.insist(once)
            self.paid.append(told.body["id"])

    def insist(self, once):
        """Send one payment until it is answered; a busy house and an absent database are none."""
        body = {"source_id": self.source, "target_id": self.target, "amount_fen": 1}
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            told = self.api.post("/v1/transfers", body, once=once)
            self.statuses.add(told.status)
            if told.status in {200, 201}:
                return told
            assert told.status in {429, 503}, told
            time.sleep(0.02)
        raise AssertionError("the product did not recover")


def killed(server, api):
    """Kill the server, see that this is said and nothing worse, and start it again."""
    server.kill()
    statuses = {api.get("/v1/users/nobody-here").status for _ in range(3)}
    assert 500 not in statuses
    server.start()


def test_product_recovers_by_itself_when_its_server_is_killed(server, tmp_path):
    """Nothing that was answered is lost, nothing is done twice, nobody restarts anything."""
    with running(tmp_path / "data", database=mariadb.url(server.fresh())) as house:
        api = house.caller()
        people = [api.rich(START_FEN) for _ in range(PAYERS)]
        payers = [Payer(api, each, people[place - 1]) for place, each in enumerate(people)]
        for payer in payers:
            payer.start()
        for number in range(1, KILLS + 1):
            wait_for(lambda: all(len(each.paid) >= 5 * number for each in payers), PATIENCE_S)  # noqa: B023 - read at once
            killed(server, api)
        wait_for(lambda: all(len(each.paid) >= 5 * KILLS + 5 for each in payers), PATIENCE_S)
        for payer in payers:
            payer.is_over.set()
            payer.join(PATIENCE_S)
        # Whoever reads waits half a second after a server that was away.
        wait_for(lambda: api.get(f"/v1/users/{people[0]}/balances").status == 200, PATIENCE_S)
        check(api, payers)


def check(api, payers):
    """Compare what people were told with what their balances and payments are."""
    for place, payer in enumerate(payers):
        assert len(set(payer.paid)) == len(payer.paid)
        assert 500 not in payer.statuses
        came = payers[(place + 1) % len(payers)]
        expected = START_FEN - len(payer.paid) + len(came.paid)
        assert api.balance(payer.source)["available_fen"] == expected
        for name in payer.paid[-20:]:
            assert api.get(f"/v1/transfers/{name}").status == 200
