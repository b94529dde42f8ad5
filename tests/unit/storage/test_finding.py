"""Every kind of finding is provoked by one edit that breaks just what it is about."""

import secrets

import apsw
import pytest

from ledger_case import copied, lived, opened
from lingqian.clearing.difference import day_id
from lingqian.flows.claim import ClaimDone
from lingqian.flows.clearing import BillDone, MatchDone
from lingqian.flows.close import DrawDone
from lingqian.flows.evidence import ObserveDone
from lingqian.flows.gift import GiftDone, IncomeDone
from lingqian.flows.packet import MixDone
from lingqian.flows.payout import PayoutMoved
from lingqian.flows.refund import RefundNoted
from lingqian.flows.relay import RelayDone
from lingqian.flows.transfer import TransferDone
from lingqian.storage.audit import audit
from lingqian.storage.codec import Row, decode, encode
from lingqian.storage.finding import FindingKind as K
from lingqian.storage.vault import open_vault
from lingqian.topup.evidence import RECEIVED, Effect
from lingqian.topup.refund import RefundStage


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """A closed data directory of four lanes; never to be changed."""
    return lived(tmp_path_factory.mktemp("life") / "data", 4)


@pytest.fixture
def data(life, tmp_path):
    """A copy of it."""
    return copied(life, tmp_path / "data")


def kinds_of(folder):
    """Audit with everything an operator has; return the kinds of what was found."""
    found = []
    connection = opened(folder)
    vault = open_vault(folder / "keys")
    audit(connection, heads=folder / "heads.log", vault=vault, emit=found.append)
    connection.close()
    return {each.kind for each in found}


def rewrite(db, outcome_type, change, is_wanted=None):
    """Change the first journal row with an outcome of a type; leave all else."""
    lines = db.execute(
        "SELECT lane, seq, at_us, kind, code, body FROM journal ORDER BY lane, seq"
    ).fetchall()
    for line in lines:
        row = Row(*line)
        record, posted = decode(row)
        if type(record.outcome) is not outcome_type or (is_wanted and not is_wanted(record)):
            continue
        record, posted = change(record, posted)
        body = encode(record.command, record.outcome, posted, record.credits)
        db.execute(
            "UPDATE journal SET body = ? WHERE lane = ? AND seq = ?", (body, row.lane, row.seq)
        )
        return
    raise AssertionError("the life has such a row")


def is_paid(record):
    """Say whether a transfer was paid at once."""
    return record.outcome.opened is None


def is_share(record):
    """Say whether a claim took a share."""
    return record.outcome.share > 0


def has_money(record):
    """Say whether evidence brought money."""
    return record.outcome.effect in RECEIVED


def is_credited(record):
    """Say whether evidence credited an order."""
    return record.outcome.effect == Effect.CREDITED


def has_moved(record):
    """Say whether a row moved money."""
    return bool(record.postings)


def has_arrived(record):
    """Say whether a reading ended a refund well."""
    return record.outcome.stage == RefundStage.SUCCESS


def is_open_day(record):
    """Say whether a row is about the day that stays open."""
    return record.command.day_id != CLOSED_DAY


def sql(text):
    """Return an edit by one statement."""

    def edit(db, folder):
        del folder
        db.execute(text)
        assert db.changes(), text

    return edit


def freed(text):
    """Return an edit by one statement that triggers of the tables would stop, if there are any."""

    def edit(db, folder):
        if isinstance(db, apsw.Connection):
            db.execute("DROP TRIGGER acts_fixed; DROP TRIGGER acts_kept")
        sql(text)(db, folder)

    return edit


def body(outcome_type, change, is_wanted=None):
    """Return an edit of one journal row's body."""

    def edit(db, folder):
        del folder
        rewrite(db, outcome_type, change, is_wanted)

    return edit


def outcome(**changes):
    """Return a change of a row's outcome; values may be functions of the old one."""

    def change(record, posted):
        old = record.outcome
        new = {
            name: value(getattr(old, name)) if callable(value) else value
            for name, value in changes.items()
        }
        return record._replace(outcome=old._replace(**new)), posted

    return change


def command(**changes):
    """Return a change of a row's command."""

    def change(record, posted):
        return record._replace(command=record.command._replace(**changes)), posted

    return change


def posting(**changes):
    """Return a change of a row's first posting."""

    def change(record, posted):
        return record, [posted[0]._replace(**changes), *posted[1:]]

    return change


def noise(db, folder):
    """Overwrite the first page of a table; the page in the middle may be one of the schema."""
    size = db.pragma("page_size")
    (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'entries'").fetchone()
    db.close()
    with (folder / "ledger.db").open("r+b") as file:
        file.seek(size * (page - 1))
        file.write(secrets.token_bytes(size))


def without_log(db, folder):
    """Remove heads.log."""
    del db
    (folder / "heads.log").unlink()


def other_line(db, folder):
    """Change a time in heads.log."""
    del db
    text = (folder / "heads.log").read_text()
    (folder / "heads.log").write_text(text.replace("Z ", "z ", 1))


CLOSED_DAY = day_id("wx", 20_500)
NOISE = {size: f"x'{'9e' * size}'" for size in (16, 32, 40, 49, 60)}
ZEROS = f"x'{'00' * 16}'"
EDITS = [
    (K.FILE_UNREADABLE, noise),
    (K.VALUE_TYPE, sql("UPDATE users SET nickname_mac = 'name'")),
    (K.HEAD_ABSENT, without_log),
    (K.HEAD_BEYOND, sql("DELETE FROM seals WHERE lane = 1 AND last_seq > 3")),
    (K.HEAD_DIFFERS, sql(f"UPDATE seals SET head = {NOISE[32]} WHERE lane = 1")),
    (K.HEAD_LINE, other_line),
    (K.SEQUENCE_GAP, sql("DELETE FROM journal WHERE lane = 1 AND seq = 3")),
    (K.TIME_ORDER, sql("UPDATE journal SET at_us = 5 WHERE lane = 1 AND seq = 3")),
    (K.JOURNAL_FORM, sql("UPDATE journal SET body = x'0100' WHERE lane = 1 AND seq = 3")),
    (K.JOURNAL_FOLD, body(ClaimDone, command(packet_id=bytes(16)))),
    (K.JOURNAL_FOLD, body(DrawDone, outcome(tickets=lambda old: (99, *old[1:])))),
    (K.SEAL_RANGE, sql("DELETE FROM seals WHERE lane = 1 AND first_seq = 1")),
    (K.SEAL_RANGE, sql("UPDATE seals SET first_seq = first_seq + 1 WHERE lane = 1")),
    (K.SEAL_RANGE, sql("DELETE FROM seals WHERE lane = 1 AND last_seq > 3")),
    (K.SEAL_HEAD, sql(f"UPDATE seals SET batch_id = {NOISE[16]} WHERE first_seq = 1")),
    (K.SEAL_HEAD, body(TransferDone, command(target_class=2))),
    (K.SEAL_FIELD, sql("UPDATE seals SET epoch = epoch + 9 WHERE first_seq = 1")),
    (K.SEAL_FIELD, sql("UPDATE seals SET at_us = at_us - 1000000 WHERE first_seq > 1")),
    (K.LANE_ROW, sql("UPDATE lanes SET next_seq = next_seq + 1 WHERE lane = 2")),
    (K.LANE_ROW, sql("UPDATE lanes SET epoch = 0 WHERE lane = 2")),
    (K.LANE_ROW, sql("DELETE FROM lanes WHERE lane = 2")),
    (K.POSTING_FORM, body(TransferDone, command(amount_fen=1_234_567), is_paid)),
    (K.POSTING_FORM, body(TransferDone, posting(amount_fen=0), is_paid)),
    (K.POSTING_FORM, body(TransferDone, posting(debit=bytes(18)), is_paid)),
    (K.POSTING_FORM, body(TransferDone, posting(phase=9), is_paid)),
    (K.BALANCE_AFTER, body(TransferDone, posting(debit_after_fen=7), is_paid)),
    (K.BALANCE_AFTER, body(ClaimDone, posting(credit_after_fen=-7), is_share)),
    (K.BALANCE_FLOOR, body(TransferDone, posting(debit_after_fen=-7), is_paid)),
    (
        K.BALANCE_FLOOR,
        sql(
            "UPDATE accounts SET debits_posted = 1099511627776 WHERE substr(account, 17, 1) = x'01'"
        ),
    ),
    (K.ROW_MISSING, sql("DELETE FROM keys WHERE seq = 3")),
    (K.ROW_MISSING, sql("DELETE FROM claims WHERE share = 0")),
    (K.ROW_DIFFERS, sql("UPDATE keys SET seq = 3 WHERE seq = 4")),
    (K.ROW_EXTRA, sql("INSERT INTO keys VALUES (x'00017777', 3)")),
    (K.CLAIM_CHAIN, body(ClaimDone, outcome(chain=bytes(32)))),
    (K.CLAIM_CHAIN, body(ClaimDone, outcome(pseudonym=bytes(16)))),
    (K.CLAIM_SHARE, body(ClaimDone, outcome(amount_fen=lambda old: old + 1), is_share)),
    (K.CLAIM_SHARE, body(DrawDone, outcome(tickets=lambda old: (*old[1:], old[0])))),
    (K.CLAIM_SHARE, body(DrawDone, outcome(amounts_fen=lambda old: (old[0] + 1, *old[1:])))),
    (
        K.CLAIM_SHARE,
        body(MixDone, command(signature=b"other"), lambda record: record.kind == 13),
    ),
    (K.CLAIM_COUNT, body(ClaimDone, outcome(ticket=lambda old: old + 1))),
    (K.CLAIM_COUNT, sql("UPDATE progress SET claimed_count = claimed_count + 1")),
    (K.CLAIM_COUNT, sql("DELETE FROM packets")),
    (K.PACKET_MONEY, sql("UPDATE claims SET amount_fen = amount_fen + 1 WHERE share = 1")),
    (K.PACKET_MONEY, sql("UPDATE progress SET returned_fen = 1 WHERE state = 4")),
    (
        K.PACKET_ESCROW,
        sql(
            "UPDATE accounts SET credits_posted = credits_posted + 1 "
            "WHERE substr(account, 17, 1) = x'02'"
        ),
    ),
    (K.HOLD_PENDING, sql("UPDATE holds SET amount_fen = amount_fen + 1 WHERE state = 1")),
    (K.HOLD_PENDING, sql("UPDATE accounts SET debits_pending = debits_pending + 1")),
    (
        K.RELAY_ITEM,
        body(
            TransferDone,
            lambda record, posted: (record._replace(credits=()), posted),
            lambda record: record.credits,
        ),
    ),
    (K.RELAY_ITEM, sql("UPDATE relays SET amount_fen = amount_fen + 1 WHERE number = 1")),
    (K.RELAY_ITEM, sql("UPDATE relay_marks SET value = value - 1")),
    (K.RELAY_MARK, sql("UPDATE relay_heads SET value = value + 1")),
    (K.RELAY_MARK, sql("UPDATE relay_marks SET value = value + 1")),
    (K.RELAY_MARK, sql("DELETE FROM relay_heads")),
    (K.JOURNAL_FOLD, body(MatchDone, command(day_id=CLOSED_DAY), is_open_day)),
    (K.JOURNAL_FOLD, body(BillDone, command(day_id=CLOSED_DAY), is_open_day)),
    (K.JOURNAL_FOLD, body(RelayDone, outcome(mark=lambda old: old + 1))),
    (K.DEBITS_CREDITS, sql("UPDATE accounts SET credits_posted = credits_posted + 1")),
    (
        K.THREE_TIERS,
        sql(
            "UPDATE accounts SET debits_posted = debits_posted + 1 "
            "WHERE substr(account, 17, 1) = x'0a'"
        ),
    ),
    (K.COIN_LOTS, sql("UPDATE grants SET paid_left = paid_left - 1 WHERE paid_left > paid_frozen")),
    (
        K.COIN_LOTS,
        sql(
            "UPDATE accounts SET credits_posted = credits_posted + 1 "
            "WHERE substr(account, 17, 1) = x'33'"
        ),
    ),
    (K.COIN_VALUE, sql("UPDATE grants SET released_fen = 1")),
    (
        K.ORDER_MONEY,
        sql("UPDATE orders SET received_fen = received_fen + 1 WHERE received_fen > 0"),
    ),
    (K.ORDER_MONEY, sql("UPDATE orders SET credit_state = 2 WHERE credit_state = 1")),
    (K.ORDER_MONEY, sql("UPDATE transactions SET parked_fen = 0 WHERE parked_fen > 0")),
    (K.ORDER_MONEY, sql(f"UPDATE transactions SET attempt_id = {ZEROS} WHERE reason = 0")),
    (K.PAYABLE_MONEY, sql("UPDATE refunds SET stage = 5 WHERE stage = 4")),
    (K.PAYABLE_MONEY, sql("UPDATE payouts SET amount_fen = amount_fen + 1 WHERE stage = 5")),
    (K.ADVANCE_LINE, sql("UPDATE lines SET open_fen = open_fen + 1")),
    (K.ADVANCE_LINE, sql("UPDATE advances SET state = 1 WHERE state <> 1")),
    (K.ADVANCE_DEBT, sql("UPDATE borrowers SET owed_fen = 1000000 WHERE owed_fen > 0")),
    (K.ADVANCE_DEBT, sql(f"UPDATE askers SET order_id = {ZEROS}")),
    (K.INCOME_PENDING, sql("UPDATE gifts SET state = 2 WHERE state = 1")),
    (K.JOURNAL_FOLD, body(GiftDone, outcome(streamer_fen=lambda old: old + 1))),
    (K.JOURNAL_FOLD, body(RefundNoted, outcome(fee_back_fen=1), has_arrived)),
    (K.POSTING_FORM, body(PayoutMoved, posting(amount_fen=1), has_moved)),
    (K.POSTING_FORM, body(IncomeDone, posting(amount_fen=1))),
    (K.POSTING_FORM, body(ObserveDone, command(fee_fen=7_777), has_money)),
    (K.POSTING_FORM, body(ObserveDone, outcome(effect=Effect.HELD), is_credited)),
    (K.PERSONAL_OWNER, sql(f"UPDATE personal SET cipher = {NOISE[60]} WHERE field = 2")),
    (K.PERSONAL_MAC, sql(f"UPDATE personal SET mac = {NOISE[16]} WHERE field = 4")),
    (K.PERSONAL_MAC, sql("UPDATE personal SET field = 9 WHERE field = 2")),
    (K.OPERATION_ROW, sql("UPDATE api_keys SET secret_digest = x'00'")),
    (K.OPERATION_ROW, sql("DELETE FROM endpoints")),
    (K.OPERATION_ROW, sql("UPDATE endpoint_cursors SET seq = 99999")),
    (K.OPERATION_ROW, sql("UPDATE settings SET name = ''")),
    (K.OPERATION_ROW, sql("UPDATE positions SET stream = 'rumours'")),
    (K.OPERATION_ROW, sql("UPDATE positions SET topic = x'00'")),
    (K.OPERATION_ROW, sql("UPDATE positions SET place = 1")),
    (K.OPERATION_ROW, sql("DELETE FROM positions")),
    (K.OPERATION_ROW, sql("UPDATE parked_messages SET place = 0")),
    (K.OPERATION_ROW, sql(f"UPDATE parked_messages SET mac = {NOISE[16]}")),
    (K.OPERATION_ROW, sql(f"UPDATE parked_messages SET sealed = {NOISE[40]}")),
    (K.OPERATION_ROW, sql(f"UPDATE session_links SET user_id = {NOISE[16]}")),
    (K.OPERATION_ROW, sql(f"UPDATE session_links SET session_id = {NOISE[16]}")),
    (K.OPERATION_ROW, sql("UPDATE devices SET thumbprint = substr(thumbprint, 2)")),
    (K.OPERATION_ROW, sql(f"UPDATE devices SET name_sealed = {NOISE[40]}")),
    (K.OPERATION_ROW, sql("UPDATE sessions SET generation = 0")),
    (K.OPERATION_ROW, sql("UPDATE sessions SET revoked_at_us = 1")),
    (K.OPERATION_ROW, sql("DELETE FROM devices")),
    (K.OPERATION_ROW, sql("UPDATE payment_passwords SET hashed = x'01'")),
    (K.OPERATION_ROW, sql("UPDATE payment_passwords SET tries = 5")),
    (K.OPERATION_ROW, sql("UPDATE payment_passwords SET locked_until_us = 9, locks = 0")),
    (K.OPERATION_ROW, sql(f"UPDATE real_names SET name_mac = {NOISE[16]} WHERE checks = 1")),
    (K.OPERATION_ROW, sql("UPDATE real_names SET number_sealed = x'00' WHERE checks = 2")),
    (K.OPERATION_ROW, sql("UPDATE real_names SET checks = 1 WHERE checks = 0")),
    (K.OPERATION_ROW, freed("UPDATE acts SET actor = 'nobody' WHERE number = 2")),
    (K.OPERATION_ROW, freed("DELETE FROM acts WHERE number = 2")),
    (K.OPERATION_ROW, freed("UPDATE acts SET chain = x'00' WHERE number = 1")),
    (K.OPERATION_ROW, sql(f"UPDATE authenticators SET secret_sealed = {NOISE[49]}")),
    (K.OPERATION_ROW, sql("UPDATE authenticators SET key_id = 'nobody'")),
    (K.OPERATION_ROW, sql("UPDATE authenticators SET tries = 5")),
    (K.OPERATION_ROW, sql("UPDATE operator_passkeys SET key_id = 'nobody'")),
    (K.OPERATION_ROW, sql(f"UPDATE operator_passkeys SET name_sealed = {NOISE[40]}")),
    (K.OPERATION_ROW, sql("UPDATE operator_passkeys SET challenge_us = 0")),
    (K.OPERATION_ROW, sql("UPDATE passkeys SET x = x'00'")),
    (K.OPERATION_ROW, sql(f"UPDATE passkeys SET name_sealed = {NOISE[40]}")),
    (K.OPERATION_ROW, sql("UPDATE payees SET payee_mac = x'00'")),
    (K.OPERATION_ROW, sql(f"UPDATE covers SET image_sealed = {NOISE[60]}")),
    (K.OPERATION_ROW, sql(f"UPDATE covers SET user_id = {NOISE[16]}")),
    (K.OPERATION_ROW, sql(f"UPDATE covers SET content_mac = {NOISE[16]}")),
    (K.OPERATION_ROW, sql("UPDATE covers SET withdrawn_at_us = 0")),
    (K.OPERATION_ROW, sql("UPDATE cover_days SET tries = 21")),
]


@pytest.mark.parametrize(("kind", "edit"), EDITS, ids=[kind.value for kind, _ in EDITS])
def test_each_kind_of_finding_is_found(data, kind, edit):
    """One edit, and the audit says what it broke."""
    db = apsw.Connection(str(data / "ledger.db"))
    edit(db, data)
    db.close()
    assert kind in kinds_of(data)


def test_the_edits_cover_every_kind():
    """A kind that nothing provokes may not work at all."""
    assert {kind for kind, _ in EDITS} == set(K)


def test_the_ledger_before_an_edit_is_clean(life):
    """The control."""
    assert kinds_of(life) == set()
