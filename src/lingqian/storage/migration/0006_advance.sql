-- Advances from the operator's own line, what people have of them, and the modes of accounts.

CREATE TABLE advances (
    order_id BLOB PRIMARY KEY,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    created_at_us INTEGER NOT NULL,
    deadline_us INTEGER NOT NULL,
    due_at_us INTEGER NOT NULL,
    ended_at_us INTEGER NOT NULL,
    owed_fen INTEGER NOT NULL CHECK (owed_fen >= 0),
    state INTEGER NOT NULL,
    unspent_fen INTEGER NOT NULL CHECK (unspent_fen >= 0),
    user_id BLOB NOT NULL,
    CHECK (unspent_fen + owed_fen IN (0, amount_fen))
) WITHOUT ROWID;
CREATE INDEX advances_by_due ON advances (due_at_us) WHERE due_at_us > 0;
CREATE INDEX advances_by_time ON advances (created_at_us);
-- One person has at most one advance open.
CREATE UNIQUE INDEX advances_open ON advances (user_id) WHERE state = 1;

CREATE TABLE borrowers (
    user_id BLOB PRIMARY KEY,
    open_order BLOB NOT NULL,
    owed_fen INTEGER NOT NULL CHECK (owed_fen >= 0),
    owing_order BLOB NOT NULL
) WITHOUT ROWID;

-- Exposure never exceeds the limit.
CREATE TABLE lines (
    lane BLOB PRIMARY KEY,
    limit_fen INTEGER NOT NULL,
    lost_fen INTEGER NOT NULL CHECK (lost_fen >= 0),
    minute INTEGER NOT NULL,
    minute_fen INTEGER NOT NULL,
    open_fen INTEGER NOT NULL CHECK (open_fen >= 0),
    CHECK (open_fen + lost_fen <= limit_fen)
) WITHOUT ROWID;

CREATE TABLE modes (
    mode_key BLOB PRIMARY KEY,
    account TEXT NOT NULL,
    by TEXT NOT NULL,
    mode INTEGER NOT NULL,
    since_us INTEGER NOT NULL,
    why TEXT NOT NULL
) WITHOUT ROWID
