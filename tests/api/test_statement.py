"""Statements and history: where every fen went (U4)."""

import csv
import io
from http.client import IncompleteRead

import pytest

from api.caller import running, wait_for
from lingqian.kernel.fault import Unsent
from lingqian.web.route import statement as module


def story(api):
    """Let somebody live through every kind of movement; return who."""
    user, friend = api.rich(10_000, "小明"), api.rich(10_000, "=2+5")
    pay = {"source_id": user, "target_id": friend, "amount_fen": 300, "note": "午饭"}
    api.post("/v1/transfers", pay, once=f"out-{user}")
    back = {"source_id": friend, "target_id": user, "amount_fen": 50}
    api.post("/v1/transfers", back, once=f"in-{user}")
    own = api.packet(user, total_fen=1_000, count=3, expires_in_s=60)
    api.claim(own, friend)
    api.claim(own, user)
    other = api.packet(friend, total_fen=700, count=1)
    api.claim(other, user)
    api.advance(61)
    wait_for(lambda: api.get(f"/v1/packets/{own}").body["state"] == "expired")
    wait_for(lambda: "returned" in api.get(f"/v1/packets/{own}").body)
    return user


def every_line(api, user, limit=200):
    """Return a whole statement, page after page."""
    lines, cursor = [], ""
    while True:
        page = api.get(f"/v1/users/{user}/statement?limit={limit}&cursor={cursor}").body
        lines += page["lines"]
        cursor = page["next_cursor"]
        if cursor is None:
            return lines


WHAT = [
    "packet_returned", "packet_claimed", "packet_claimed", "packet_sent",
    "transfer_received", "transfer_sent", "funding",
]  # fmt: skip


def test_a_statement_tells_what_every_movement_was_for(api):
    """A balance that nobody can explain is a complaint."""
    user = story(api)
    lines = every_line(api, user)
    assert [line["what"] for line in lines] == WHAT
    assert sum(line["amount_fen"] for line in lines) == api.balance(user)["amount_fen"]
    after = 0
    for line in reversed(lines):
        after += line["amount_fen"]
        assert line["balance_after_fen"] == after
    assert every_line(api, user, limit=2) == lines
    assert lines[5]["other_nickname"] == "=2+5"
    assert lines[5]["object_id"].startswith("tr_")


@pytest.mark.parametrize("way", ["path", "accept"])
def test_the_csv_adds_up_to_the_ledger_and_runs_nothing(api, way):
    """U4: totals match; a nickname that is a formula stays a name in whatever opens the file."""
    user = story(api)
    if way == "path":
        told = api.get(f"/v1/users/{user}/statement.csv")
    else:
        told = api.get(f"/v1/users/{user}/statement", headers={"Accept": "text/csv"})
    assert told.headers["content-type"].startswith("text/csv")
    assert told.body.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(told.body.decode("utf-8-sig"))))
    assert sum(int(row["amount_fen"]) for row in rows) == api.balance(user)["amount_fen"]
    assert {row["other_nickname"] for row in rows} == {"", "'=2+5"}


def failing_after(monkeypatch, pages):
    """Let the database go away when so many pages of a statement were read."""
    real, left = module.lines, [pages]

    def lines(*words):
        if not left[0]:
            raise Unsent("the database is away")
        left[0] -= 1
        return real(*words)

    monkeypatch.setattr(module, "lines", lines)


def test_a_csv_whose_first_line_cannot_be_read_is_refused(api, monkeypatch):
    """A status that was sent cannot be taken back: 200 and nothing behind it is no answer."""
    user = story(api)
    failing_after(monkeypatch, 0)
    told = api.get(f"/v1/users/{user}/statement.csv")
    assert (told.status, told.code, told.body["retry"]) == (503, "unavailable", "same_key")


def test_a_csv_that_breaks_in_the_middle_is_seen_to_be_incomplete(api, monkeypatch, caplog):
    """A part that looks like the whole would be somebody's missing money."""
    user = story(api)
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 2)
    whole = api.get(f"/v1/users/{user}/statement.csv").body
    failing_after(monkeypatch, 2)
    with pytest.raises(IncompleteRead) as cut:
        api.get(f"/v1/users/{user}/statement.csv")
    assert whole.startswith(cut.value.partial)
    assert len(cut.value.partial.splitlines()) == 5, "the header, and two pages of two"
    assert "an answer was cut off: Unsent: the database is away" in caplog.text
    assert "Traceback" not in caplog.text


def test_history_tells_sent_and_claimed_apart(api):
    """Who opened what, and what came back."""
    user = story(api)
    (sent,) = api.get(f"/v1/users/{user}/packets?role=sent").body["packets"]
    assert (sent["total_fen"], sent["state"]) == (1_000, "expired")
    assert sent["returned"]["amount_fen"] + sent["claimed_fen"] == 1_000
    claimed = api.get(f"/v1/users/{user}/packets?role=claimed").body["packets"]
    assert len(claimed) == 2
    assert all(each["viewer"]["status"] == "claimed" for each in claimed)
    first = api.get(f"/v1/users/{user}/packets?role=claimed&limit=1").body
    path = f"/v1/users/{user}/packets?role=claimed&limit=1&cursor={first['next_cursor']}"
    assert [*first["packets"], *api.get(path).body["packets"]] == claimed
    assert api.get(f"/v1/users/{user}/packets").status == 422


def test_a_statement_of_nobody_is_not_found(api):
    """Nor is it an empty one."""
    nobody = "us_00000000000000000000000000"
    for path in ("statement", "statement.csv", "packets?role=sent"):
        assert api.get(f"/v1/users/{nobody}/{path}").code == "user_unknown"


def test_a_statement_of_four_lanes_tells_the_same(tmp_path):
    """What came through the relay is explained by what let it go."""
    with running(tmp_path, lanes=4) as house:
        api = house.caller()
        for _ in range(4):
            user = story(api)
            wait_for(lambda user=user: api.balance(user)["incoming_fen"] == 0)
            lines = every_line(api, user)
            assert sorted(line["what"] for line in lines) == sorted(WHAT)
            assert sum(line["amount_fen"] for line in lines) == api.balance(user)["amount_fen"]
            assert all(line["object_id"] for line in lines)
