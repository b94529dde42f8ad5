-- Reconciliation: days, differences, and movements that only a fund bill shows.

CREATE TABLE days (
    day_id BLOB PRIMARY KEY,
    account TEXT NOT NULL,
    carried INTEGER NOT NULL,
    closed_at_us INTEGER NOT NULL,
    closed_by TEXT NOT NULL,
    closing_fen INTEGER NOT NULL,
    day INTEGER NOT NULL,
    fund_digest BLOB NOT NULL,
    items INTEGER NOT NULL,
    opening_fen INTEGER NOT NULL,
    ours_fen INTEGER NOT NULL,
    owned INTEGER NOT NULL,
    result_digest BLOB NOT NULL,
    sheet_digest BLOB NOT NULL,
    state INTEGER NOT NULL,
    theirs_fen INTEGER NOT NULL,
    trade_digest BLOB NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX days_by_account ON days (account, day);

-- A closed day is for ever: state 3 is closed.
CREATE TRIGGER days_closed BEFORE UPDATE ON days WHEN OLD.state = 3
BEGIN
    SELECT RAISE(ABORT, 'a closed day is never changed');
END;
CREATE TRIGGER days_kept BEFORE DELETE ON days WHEN OLD.state = 3
BEGIN
    SELECT RAISE(ABORT, 'a closed day is never removed');
END;

CREATE TABLE differences (
    difference_id BLOB PRIMARY KEY,
    account TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    class_code TEXT NOT NULL,
    day INTEGER NOT NULL,
    decided_by TEXT NOT NULL,
    due_at_us INTEGER NOT NULL,
    fee_gap_fen INTEGER NOT NULL,
    found_at_us INTEGER NOT NULL,
    gap_fen INTEGER NOT NULL,
    is_booked INTEGER NOT NULL,
    note_mac BLOB NOT NULL,
    number TEXT NOT NULL,
    owner INTEGER NOT NULL,
    remedy INTEGER NOT NULL,
    state INTEGER NOT NULL,
    way INTEGER NOT NULL,
    -- Four eyes: who asked for a remedy cannot be who agrees to it.
    CHECK (decided_by = '' OR decided_by <> asked_by)
) WITHOUT ROWID;
CREATE INDEX differences_by_day ON differences (account, day, difference_id);
-- States 1 and 2 wait: carried, owned.
CREATE INDEX differences_by_due ON differences (due_at_us) WHERE state IN (1, 2);
CREATE INDEX differences_by_number ON differences (number);

CREATE TABLE flows (
    flow_id BLOB PRIMARY KEY,
    account TEXT NOT NULL,
    amount_fen INTEGER NOT NULL CHECK (amount_fen <> 0),
    day INTEGER NOT NULL,
    flow_no TEXT NOT NULL,
    label TEXT NOT NULL,
    subject_id BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX flows_by_day ON flows (account, day);
CREATE INDEX flows_by_subject ON flows (subject_id) WHERE subject_id <> x'';
