"""Limits at the API, to the fen and to the midnight of Shanghai (U8)."""

from datetime import datetime, timedelta

import pytest

from api.caller import running

ROWS = [
    {"account_class": 3, "span": "share", "cap": 200, "source": "test"},
    {"account_class": 3, "span": "payment", "cap": 1_000, "source": "test"},
    {"account_class": 3, "span": "day", "cap": 2_000, "source": "test"},
    {"account_class": 3, "span": "year", "cap": 3_000, "source": "test"},
    {"account_class": 2, "span": "life", "cap": 500, "source": "test"},
]


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """A server with small limits."""
    from lingqian.compose import LimitRow  # noqa: PLC0415 - beside its only use

    rows = tuple(LimitRow(**row) for row in ROWS)
    with running(tmp_path_factory.mktemp("strict"), limits=rows) as house:
        yield house.caller()


def pay(api, source, amount_fen, once):
    """Pay somebody new; return the code, empty when it was paid."""
    body = {"source_id": source, "target_id": api.user(), "amount_fen": amount_fen}
    told = api.post("/v1/transfers", body, once=f"{once}-{source}")
    return "" if told.status == 201 else told.code


def send(api, sender, once, **wish):
    """Send a packet; return the code, empty when it was sent."""
    body = {"sender_id": sender, "kind": "lucky", **wish}
    told = api.post("/v1/packets", body, once=f"{once}-{sender}")
    return "" if told.status == 201 else told.code


def test_a_share_may_hold_so_much_and_not_a_fen_more(strict):
    """The average counts for sending; no share of any split is larger than the cap."""
    sender = strict.rich(10_000)
    assert send(strict, sender, "over", total_fen=401, count=2) == "exceeds_share_max"
    packet = strict.packet(sender, total_fen=400, count=2)
    shares = [strict.claim(packet, strict.user()).body["amount_fen"] for _ in range(2)]
    assert shares == [200, 200]


def test_a_payment_may_move_so_much_and_not_a_fen_more(strict):
    """The same cap for transfers and packets."""
    user = strict.rich(10_000)
    assert pay(strict, user, 1_001, "a") == "exceeds_packet_max"
    assert send(strict, user, "b", total_fen=1_001, count=6) == "exceeds_packet_max"
    assert pay(strict, user, 1_000, "c") == ""


def test_a_day_ends_at_midnight_in_shanghai(strict):
    """Neither at midnight in London nor 24 hours after the first payment."""
    user = strict.rich(10_000)
    assert pay(strict, user, 1_000, "a") == ""
    assert pay(strict, user, 999, "b") == ""
    assert pay(strict, user, 2, "c") == "exceeds_day"
    assert pay(strict, user, 1, "d") == ""
    strict.advance(seconds_to_midnight(strict) - 2)
    assert pay(strict, user, 1, "e") == "exceeds_day"
    strict.advance(3)
    assert pay(strict, user, 1, "f") == ""


def seconds_to_midnight(api):
    """Return how long this day still lasts in Shanghai."""
    now = datetime.fromisoformat(api.post("/v1/sandbox/clock", {"advance_s": 0}).body["now"])
    shanghai = now + timedelta(hours=8)
    return 86_400 - (shanghai.hour * 3_600 + shanghai.minute * 60 + shanghai.second)


def test_a_year_counts_all_its_days(strict):
    """The cap of a year binds where that of a day would not."""
    user = strict.rich(10_000)
    for once in ("a", "b"):
        assert pay(strict, user, 1_000, once) == ""
    strict.advance(seconds_to_midnight(strict) + 1)
    assert pay(strict, user, 1_000, "c") == ""
    assert pay(strict, user, 1, "d") in ("exceeds_year", "")  # "" once a year, at New Year


def test_a_life_is_counted_for_ever(strict):
    """A class with a cap for life never gets another year."""
    user = strict.user(account_class=2)
    strict.fund(user, 10_000)
    assert pay(strict, user, 499, "a") == ""
    assert pay(strict, user, 2, "b") == "exceeds_life"
    assert pay(strict, user, 1, "c") == ""
    strict.advance(400 * 86_400)
    assert pay(strict, user, 1, "d") == "exceeds_life"


def test_every_row_is_told_with_its_source(strict):
    """Whoever is refused may ask by which rule."""
    rows = strict.get("/v1/limits").body["limits"]
    assert {"account_class": 2, "span": "life", "cap": 500, "source": "test"} in rows
    assert all(row["source"] for row in rows)
    assert {row["span"] for row in rows} >= {"share", "payment", "count", "day_count", "year"}
