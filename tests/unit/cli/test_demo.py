"""The demo's own parts, without a server: its cast, its page's guard, its words, its folder."""

import base64
import re
from hashlib import sha256
from importlib.resources import files

import pytest
from typer.testing import CliRunner

from lingqian.cli.demo.api import Event
from lingqian.cli.demo.cast import GROUPS, OFFICE, PEOPLE, SHARES, STARS
from lingqian.cli.demo.page import is_here, policy
from lingqian.cli.demo.screen import Reading, Screen, yuan
from lingqian.cli.main import app
from lingqian.kernel.fault import Fenced
from lingqian.ledger.chart import Book
from lingqian.storage.lock import DirectoryLock
from lingqian.storage.trial import Trial

TITLES = {"office": "公司年会", "family": "一家人"}
NAMES = {"us_1": "阿婆", "us_2": "小明"}


def screen():
    """Return a screen that knows two people and two groups."""
    return Screen(TITLES, lambda user_id: NAMES.get(user_id, "?"), ("page …",))


def sent(packet_id="rp_1", room="office"):
    """Return the event of a packet that was sent."""
    data = {"packet_id": packet_id, "sender_id": "us_1", "kind": "lucky", "count": 50}
    return Event("packet.sent", {**data, "conversation_id": room})


def test_a_packet_of_fifty_finds_fifty_people_besides_the_stars():
    """The visitor's three people are nobody else's to move."""
    (office,) = [group for group in GROUPS if group.conversation_id == OFFICE]
    stars = {star.external_id for star in STARS}
    assert len(set(office.members) - stars) >= SHARES
    assert stars <= set(office.members)
    assert all(stars.isdisjoint(group.members) for group in GROUPS if group is not office)


def test_everybody_has_one_name_and_a_group():
    """Two people of one name in one chat could not be told apart."""
    assert len(set(PEOPLE.values())) == len(PEOPLE)
    assert {member for group in GROUPS for member in group.members} == set(PEOPLE)


def test_the_page_lets_only_its_own_script_and_style_run():
    """The page holds a key: nothing that a stranger wrote may run in it."""
    html = (files("lingqian.web") / "static" / "demo.html").read_text("utf-8")
    text = re.search(r"<script>(.*?)</script>", html, re.DOTALL)[1]
    digest = base64.b64encode(sha256(text.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy(html)
    assert "unsafe" not in policy(html)
    assert policy(html) != policy(html.replace("</script>", "\n</script>"))


def test_the_page_loads_nothing_from_elsewhere():
    """It must work on a machine without a network, and tell nobody that it was opened."""
    html = (files("lingqian.web") / "static" / "demo.html").read_text("utf-8")
    assert re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", html) == []
    assert "innerHTML" not in html


@pytest.mark.parametrize(
    ("host", "is_answered"),
    [
        ("127.0.0.1:8080", True),
        ("localhost:8080", True),
        ("localhost", True),
        ("[::1]:8080", True),
        ("evil.example:8080", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example:8080", False),
        ("10.0.0.1:8080", False),
        ("", False),
    ],
)
def test_only_this_machine_s_own_names_are_answered(host, is_answered):
    """A page elsewhere may let its own name point here; it must not read the key."""
    assert is_here(host) is is_answered


def test_talk_lands_in_the_packet_s_group():
    """A claim names its packet only; the screen remembers where that was posted."""
    talk = screen()
    talk.hear(sent(room="family"))
    claimed = {"packet_id": "rp_1", "user_id": "us_2", "amount_fen": 1234}
    assert talk.hear(Event("packet.claimed", claimed)) == ["一家人    小明 opens 12.34"]


def test_an_unknown_event_says_nothing():
    """New kinds of events must not end an old demo."""
    assert screen().hear(Event("moon.risen", {})) == []


@pytest.mark.parametrize(("bank", "is_lawful"), [(1_500, True), (1_501, False)])
def test_the_screen_says_whether_what_is_owed_is_backed(bank, is_lawful):
    """The one line that has to be true at every moment, and has to be loud when it is not."""
    talk = screen()
    books = {Book.BALANCE: 1_000, Book.ESCROW: 700, Book.TRANSIT: -200, Book.BANK: bank}
    talk.read(Reading(Trial(books), 1, 0.0))
    assert talk.is_lawful() is is_lawful
    assert ("THE LEDGER IS WRONG" in talk.law()) is not is_lawful


@pytest.mark.parametrize(
    ("fen", "text"), [(0, "0.00"), (5, "0.05"), (123_456_789, "1,234,567.89"), (-5, "-0.05")]
)
def test_yuan_are_written_from_integers(fen, text):
    """No float comes near an amount, on the screen either."""
    assert yuan(fen) == text


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path):
    """`--reset` on a real data directory would be the end of it."""
    (tmp_path / "ledger.db").write_bytes(b"money")
    answer = CliRunner().invoke(app, ["demo", "--data", str(tmp_path), "--reset", "--seconds", "1"])
    assert answer.exit_code == 2
    assert "no demo made" in answer.stderr
    assert (tmp_path / "ledger.db").read_bytes() == b"money"


def test_a_running_demo_is_not_swept_away(tmp_path):
    """`--reset` in a second window must not remove the files of the first."""
    (tmp_path / "demo").touch()
    lock = DirectoryLock(tmp_path)
    answer = CliRunner().invoke(app, ["demo", "--data", str(tmp_path), "--reset", "--seconds", "1"])
    lock.release()
    assert isinstance(answer.exception, Fenced)
    assert (tmp_path / "demo").exists()
