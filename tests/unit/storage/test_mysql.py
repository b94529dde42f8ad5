"""The MySQL protocol without a server: errors, engines, addresses, and how values are written."""

import re
from enum import IntEnum

import pytest
from pymysql.constants import CR, ER
from pymysql.err import InterfaceError, InternalError, OperationalError

from lingqian.kernel.fault import Damaged, Unknown, Unsent
from lingqian.storage.mysql import engine, link, meaning, schema
from lingqian.storage.mysql.address import Address, parse
from lingqian.storage.mysql.store import REPLACE
from lingqian.storage.schema import TABLES

# What is known of each code apart from our table: class of the reference, codes, may it be retried.
CERTAIN = (1213, 8002, 8005, 8022, 8028, 8147, 8229, 9006, 9007, 8055)
OPEN = (1205, 3572)
AWAY = (9001, 9002, 9003, 9004, 9005, 9008, 8027, 8120, 8252)
WRONG = (1062, 1264, 1406, 1048, 3819, 4025)
GONE = (CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, CR.CR_CONN_HOST_ERROR, ER.SERVER_SHUTDOWN, 1927)


def error(code):
    """Return an error as the driver raises it."""
    return OperationalError(code, "words of the server")


@pytest.mark.parametrize("code", [*CERTAIN, *WRONG])
def test_proven_rollback_is_unsent_even_at_commit(code):
    """The engine itself says that nothing was written; the lane may go on at once."""
    found = meaning.meaning_of(error(code))
    assert (found.before, found.at_commit) == (Unsent, Unsent)


@pytest.mark.parametrize("code", [*OPEN, *AWAY, *GONE, 99_999])
def test_anything_else_at_commit_is_unknown(code):
    """A code that nobody has met yet must not be the one that pays twice."""
    found = meaning.meaning_of(error(code))
    assert (found.before, found.at_commit) == (Unsent, Unknown)


@pytest.mark.parametrize("code", [8138, 8139, 8140, 8141, ER.CRASHED_ON_USAGE])
def test_damage_stops_the_lane(code):
    """Nothing goes on without a person when the engine distrusts its own data."""
    assert meaning.meaning_of(error(code)).before is Damaged


def test_every_code_stands_in_one_row():
    """Two rows for one code would be decided by their order."""
    codes = [code for row in meaning.MEANINGS for code in row.codes]
    assert len(codes) == len(set(codes))
    assert len({row.name for row in meaning.MEANINGS}) == len(meaning.MEANINGS)
    assert all(row.codes or row is meaning.UNPLACED for row in meaning.MEANINGS)
    assert all(row.words for row in meaning.MEANINGS)


def test_every_code_of_the_driver_has_a_meaning_that_is_safe():
    """Only two rows may call a cut commit unsent; whatever else a server says stays unknown."""
    certain = {meaning.ROLLED_BACK, meaning.REFUSED}
    for names in (ER, CR):
        for name, code in vars(names).items():
            if isinstance(code, int) and not name.startswith("_"):
                found = meaning.meaning_of(error(code))
                assert (found.at_commit is Unsent) == (found in certain), name


def test_error_without_a_number_is_a_lost_connection():
    """The driver says some things in words only: a closed socket, packets out of order."""
    for each in (InterfaceError(0, ""), InternalError("Packet sequence number wrong")):
        assert meaning.meaning_of(each) is meaning.LOST
    assert meaning.LOST.ends_link


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("10.11.19-MariaDB-0+deb12u1", "MariaDB"),
        ("8.0.36", "MySQL"),
        ("8.4.3-commercial", "MySQL"),
        ("8.0.11-TiDB-v8.5.0", "TiDB"),
        ("8.0.11-TiDB-v8.1.2-alpha", "TiDB"),
    ],
)
def test_engine_is_known_by_its_version(version, name):
    """All three say that they are MySQL; what they do with a transaction differs."""
    assert engine.engine_of(version).name == name


@pytest.mark.parametrize("version", ["10.5.9-MariaDB", "5.7.44", "8.0.11-TiDB-v7.5.0", "8.0.15"])
def test_engine_that_is_too_old_is_refused(version):
    """An old one takes our statements and does not do what they say."""
    with pytest.raises(Unsent, match="too old"):
        engine.engine_of(version)


def test_only_the_lane_is_optimistic():
    """Two owners meet at the epoch; everything else may be wanted by two at once."""
    assert engine.TIDB.begin_lane == "BEGIN OPTIMISTIC"
    assert engine.TIDB.begin == "BEGIN PESSIMISTIC"
    for each in (engine.MARIADB, engine.MYSQL):
        assert each.begin_lane == each.begin == "START TRANSACTION"


def test_address_is_read():
    """What a person writes into a setting."""
    assert parse("mysql://amy:p%40ss@db.example:3307/wallet") == Address(
        "amy", "p@ss", "db.example", 3307, "wallet"
    )
    assert parse("mysql://amy@/wallet?socket=/run/s").socket == "/run/s"
    assert parse("mysql://amy@db/wallet").port == 3306


@pytest.mark.parametrize(
    "text",
    [
        "mysql://amy@db",
        "postgres://amy@db/wallet",
        "mysql://amy@db/wallet/more",
        "mysql://amy@db/wallet?socket=/run/s",
        "mysql://amy@/wallet",
        "mysql://amy@db/wallet?tls=no",
        "mysql://amy@db/wallet#x",
    ],
)
def test_address_that_says_something_else_is_refused(text):
    """A word that is ignored would be believed."""
    with pytest.raises(ValueError, match=r"address|question mark"):
        parse(text)


def test_address_is_shown_without_its_password():
    """It stands in messages and in logs."""
    assert "secret" not in repr(parse("mysql://amy:secret@db/wallet"))
    assert "secret" not in f"{parse('mysql://amy:secret@db/wallet')!r}"


class Kind(IntEnum):
    """A number with a name."""

    SEVEN = 7


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (-5, "-5"),
        (True, "1"),
        (Kind.SEVEN, "7"),
        (b"\x00'\\", "x'00275c'"),
        (b"", "x''"),
        ("零'", "_utf8mb4 x'e99bb627'"),
        (None, "NULL"),
    ],
)
def test_value_is_written_so_that_nothing_ends_it(value, text):
    """No quote, backslash or mode of the server makes a value into a statement."""
    assert link.filled(("=", ";"), [value]) == f"={text};"


def test_value_of_no_known_kind_is_refused():
    """A float never comes near money, here neither."""
    with pytest.raises(TypeError):
        link.filled(("", ""), [object()])
    with pytest.raises(TypeError):
        link.filled(("", ""), [1.5])


def test_statement_and_values_fit():
    """A value too few would shift all that follow."""
    with pytest.raises(AssertionError, match="a value for each"):
        link.filled(("", ""), [1, 2])


def test_many_lines_are_cut_into_statements_below_the_bound(monkeypatch):
    """A server refuses what is too large; a line that is alone too large is tried alone."""
    monkeypatch.setattr(link, "STATEMENT_BYTES_MAX", 30)
    text = "INSERT INTO t (a, b) VALUES (?, ?) ON DUPLICATE KEY UPDATE b = VALUES(b)"
    lines = [(number, b"ab") for number in range(7)] + [(7, bytes(40))]
    made = list(link.statements(text, lines))
    assert all(each.startswith("INSERT INTO t (a, b) VALUES (") for each in made)
    assert all(each.endswith(") ON DUPLICATE KEY UPDATE b = VALUES(b)") for each in made)
    assert [int(found) for each in made for found in re.findall(r"\((\d), x'", each)] == list(
        range(8)
    )
    assert len(made) > 3
    assert list(link.statements(text, [])) == []


def test_many_lines_are_written_as_each_would_be():
    """Columns are written in one go where they can be; a column of two kinds is no exception."""
    lines = [
        (1, b"\x00'", Kind.SEVEN, "零", None),
        (-2, b"", 3, "", b"x"),
        (2**62, b"%s", True, "%d'", 4),
    ]
    each = [link.filled(("(", ", ", ", ", ", ", ", ", ")"), line) for line in lines]
    text = "INSERT INTO t (a, b, c, d, e) VALUES (?, ?, ?, ?, ?) AS new"
    made = f"INSERT INTO t (a, b, c, d, e) VALUES {','.join(each)} AS new"
    assert list(link.statements(text, iter(lines))) == [made]
    assert list(link.statements("INSERT INTO t (a) VALUES (? % 7)", [(8,), (9,)])) == [
        "INSERT INTO t (a) VALUES (8 % 7),(9 % 7)"
    ]


def test_lines_of_many_sizes_are_refused():
    """A line that lacks a value would take the next one's."""
    text = "INSERT INTO t (a, b) VALUES (?, ?)"
    with pytest.raises(ValueError, match="shorter"):
        list(link.statements(text, [(1, 2), (3,)]))
    with pytest.raises(AssertionError, match="each place"):
        list(link.statements(text, [(1, 2, 3)]))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_row_is_written_anew_under_its_own_key_only(table):
    """Another unique index may find another row: then the key would have to be empty."""
    assert f'= IF("{table.key[0]}" = VALUES("{table.key[0]}")' in REPLACE[table.name]
    assert REPLACE[table.name].count("NULL") == 1


def test_steps_are_numbered_without_gaps():
    """A gap would let a database stop between two programs."""
    numbers = sorted({step.number for step in schema.steps()})
    assert numbers == list(range(1, len(numbers) + 1))
    for number in numbers:
        places = [step.place for step in schema.steps() if step.number == number]
        assert places == list(range(1, len(places) + 1))


def test_remark_is_no_part_of_a_step():
    """Words for people can be improved; what ran cannot."""
    assert not any("--" in step.text for step in schema.steps())
