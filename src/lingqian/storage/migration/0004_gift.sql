-- Gifts and the income they bring; payouts to a person's own wallet.

CREATE TABLE gifts (
    gift_id BLOB PRIMARY KEY,
    at_us INTEGER NOT NULL,
    code TEXT NOT NULL,
    coins INTEGER NOT NULL CHECK (coins > 0),
    count INTEGER NOT NULL CHECK (count > 0),
    platform_fen INTEGER NOT NULL CHECK (platform_fen >= 0),
    scene TEXT NOT NULL,
    settles_at_us INTEGER NOT NULL,
    state INTEGER NOT NULL,
    streamer_fen INTEGER NOT NULL CHECK (streamer_fen >= 0),
    streamer_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    value_fen INTEGER NOT NULL,
    CHECK (value_fen = streamer_fen + platform_fen)
) WITHOUT ROWID;
CREATE INDEX gifts_by_user ON gifts (user_id, gift_id);
CREATE INDEX gifts_by_streamer ON gifts (streamer_id, at_us, gift_id);
-- State 1 waits: its income is pending.
CREATE INDEX gifts_by_due ON gifts (settles_at_us) WHERE state = 1;
CREATE INDEX gifts_by_pending ON gifts (streamer_id) WHERE state = 1;

CREATE TABLE payouts (
    payout_id BLOB PRIMARY KEY,
    account TEXT NOT NULL,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    channel_no TEXT NOT NULL,
    created_at_us INTEGER NOT NULL,
    due_at_us INTEGER NOT NULL,
    fail_reason TEXT NOT NULL,
    payee_mac BLOB NOT NULL,
    release_at_us INTEGER NOT NULL,
    requested_by TEXT NOT NULL,
    stage INTEGER NOT NULL,
    submitted_at_us INTEGER NOT NULL,
    success_at_us INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    user_id BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX payouts_by_user ON payouts (user_id, payout_id);
CREATE INDEX payouts_by_due ON payouts (due_at_us) WHERE due_at_us > 0;
CREATE INDEX payouts_by_success ON payouts (success_at_us) WHERE success_at_us > 0;
