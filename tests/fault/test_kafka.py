"""A wallet beside a real Kafka that is killed, started again, and emptied, while people pay."""

import re
import threading
import time
from contextlib import closing
from itertools import count

import msgspec
import pytest

import mariadb
from api.caller import running, wait_for
from bus import WAIT_S, KafkaPlace
from lingqian.compose import DATABASE
from lingqian.events.bus import EVENTS, TOPICS
from lingqian.events.tail import Journal
from lingqian.kernel.id import PREFIX_USER, parse
from lingqian.kit.follow import Follower, Mark
from lingqian.storage.audit import audit
from lingqian.storage.sqlite import connect

LANES = 2
PATIENCE_S = 90
# Many looks of a courier who goes by calls.
LOOKS_S = 1.5
PAYERS = 3


class Payer(threading.Thread):
    """Somebody who pays one fen again and again, and asks again until he knows."""

    def __init__(self, api, source, target):
        super().__init__(daemon=True)
        self.api, self.source, self.target = api, source, target
        self.done = 0
        self.waited = 0
        self.goes_on = True

    def run(self):
        """Pay until told to stop."""
        for number in count():
            if not self.goes_on:
                return
            until = time.monotonic() + PATIENCE_S
            body = {"source_id": self.source, "target_id": self.target, "amount_fen": 1}
            while (told := self.api.post("/v1/transfers", body, once=f"{number}")).status not in {
                200,
                201,
            }:
                assert told.code in {"accepted", "unavailable"}, told
                assert (told.status, told.body["retry"]) == (503, "same_key")
                assert time.monotonic() < until, "nobody ever said what became of it"
                self.waited += 1
            self.done += 1


def paid_on(payers, more):
    """Wait until everybody has paid some more."""
    goal = [each.done + more for each in payers]
    until = time.monotonic() + PATIENCE_S
    while any(each.done < wanted for each, wanted in zip(payers, goal, strict=True)):
        assert time.monotonic() < until, [each.done for each in payers]
        assert all(each.is_alive() for each in payers)
        time.sleep(0.05)


def standing(api):
    """Return which parts of what goes over the bus do not go on, as whoever watches sees it."""
    text = api.get("/metrics").body.decode()
    return set(re.findall(r'^lingqian_bus_failing{part="(\w+)"} 1', text, re.MULTILINE))


def follow(follower, heard, goal):
    """Follow until these events have all been handed out."""
    until = time.monotonic() + PATIENCE_S
    while len(heard) < len(goal):
        assert time.monotonic() < until, f"{len(heard)} of {len(goal)}; {follower.gaps}"
        heard += [each.id for each in follower.take(0.2)]
    assert sorted(heard) == sorted(goal)


@pytest.fixture
def place():
    """A prefix of its own on the broker."""
    made = KafkaPlace(LANES)
    yield made
    made.done()


@pytest.mark.timeout(300)
def test_a_broker_may_be_killed_and_its_topics_lost_while_people_pay(place, tmp_path):
    """Nothing is lost or doubled, and who follows hears every event once."""
    kafka = place.row.__class__(
        servers=place.row.servers,
        prefix=place.row.prefix,
        replicas=1,
        in_sync_min=1,
        ingress=("transfers",),
        ingress_wait_ms=500,
        relay="kafka",
        client={"log_level": "0"},
    )
    with running(tmp_path, lanes=LANES, kafka=kafka) as house:
        api = house.caller()
        pairs = [(api.rich(10_000), api.user()) for _ in range(PAYERS)]
        payers = [Payer(house.caller(), *pair) for pair in pairs]
        for each in payers:
            each.start()
        paid_on(payers, 3)
        place.server.kill()
        wait_for(lambda: "events_out" in standing(api), PATIENCE_S)
        place.server.start()
        paid_on(payers, 3)
        wait_for(lambda: not standing(api), PATIENCE_S)
        place.lose(*TOPICS)
        place.make(*TOPICS)
        paid_on(payers, 3)
        for each in payers:
            each.goes_on = False
        for each in payers:
            each.join(PATIENCE_S)
        assert sum(each.waited for each in payers), "the broker was away, and somebody noticed"
        for each, (source, target) in zip(payers, pairs, strict=True):
            until = time.monotonic() + WAIT_S
            while api.balance(target)["incoming_fen"] and time.monotonic() < until:
                time.sleep(0.05)
            assert api.balance(source)["amount_fen"] == 10_000 - each.done
            assert api.balance(target)["amount_fen"] == each.done
        with closing(connect(str(tmp_path / DATABASE), readonly=True)) as connection:
            goal = [each.id for each in Journal(connection, "").after({}, 100_000).events]
        follower = Follower(place.open(), dict.fromkeys(range(LANES), Mark()))
        follow(follower, [], goal)
        follower.close()
    with closing(connect(str(tmp_path / DATABASE), readonly=True)) as connection:
        found = []
        assert audit(connection, heads=None, vault=None, emit=found.append).is_clean, found
    assert place.open().span(EVENTS, 0).begin == 0


@pytest.mark.needs("mariadb")
@pytest.mark.timeout(300)
def test_one_of_several_carries_money_by_the_bus_alone_where_that_is_set(place, tmp_path):
    """`relay = "kafka"` is one way, not a second one beside calls: without a broker money waits.

    Where both carried, every delivery would be decided twice, and the topic proved by nothing.
    """
    kafka = msgspec.structs.replace(place.row, relay="kafka")
    database = mariadb.url(mariadb.server().fresh())
    settings = {"lanes": LANES, "database": database, "roles": ("all",), "kafka": kafka}
    with running(tmp_path, **settings) as house:
        api = house.caller()
        wait_for(lambda: api.get("/readyz").status == 200, PATIENCE_S)
        source, target = two_homes(api)
        pay = {"source_id": source, "target_id": target, "amount_fen": 7}
        place.server.kill()
        try:
            assert api.post("/v1/transfers", pay, once="while it is away").status == 201
            time.sleep(LOOKS_S)
            assert api.balance(target)["incoming_fen"] == 7
        finally:
            place.server.start()
        wait_for(lambda: api.balance(target)["amount_fen"] == 7, PATIENCE_S)
        assert api.balance(target)["incoming_fen"] == 0


def two_homes(api):
    """Return two people, one with money, whose home lanes are not the same."""
    source = api.rich(10_000)
    while True:
        target = api.user()
        if parse(PREFIX_USER, target)[:2] != parse(PREFIX_USER, source)[:2]:
            return source, target
