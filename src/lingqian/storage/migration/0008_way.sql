-- Refunds that are sent another way: to the person's card, or to the merchant's own account; and
-- refunds of payments that nobody had asked for.

ALTER TABLE refunds ADD COLUMN card_mac BLOB NOT NULL DEFAULT x'';
ALTER TABLE refunds ADD COLUMN transaction_key BLOB NOT NULL DEFAULT x'';
ALTER TABLE refunds ADD COLUMN way INTEGER NOT NULL DEFAULT 0;
-- Stage 7 waits for a person.
CREATE INDEX refunds_by_stuck ON refunds (refund_id) WHERE stage = 7;
CREATE INDEX refunds_by_payment ON refunds (transaction_key) WHERE transaction_key <> x'';

ALTER TABLE transactions ADD COLUMN refund_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE transactions ADD COLUMN settle_fen INTEGER NOT NULL DEFAULT 0;
-- What a channel settles of a payment is the first leg of the row that booked it; a surplus that
-- reconciling has found is no payment, and settled as it is. Book 0b is the channel's.
WITH channels AS MATERIALIZED (
    SELECT account FROM accounts WHERE substr(account, 17, 1) = x'0b'
)
UPDATE transactions SET settle_fen = iif(attempt_id = transaction_key, amount_fen, COALESCE((
    SELECT e.amount_fen FROM trails s
    JOIN channels c ON substr(c.account, 1, 2) = substr(transaction_key, 1, 2)
    JOIN entries e ON e.account = c.account AND e.seq = s.seq AND e.leg = 0
    WHERE s.subject_id = transaction_key ORDER BY s.seq LIMIT 1
), 0));

-- What the balance has paid came by no channel, and goes back to the balance at once.
CREATE TABLE orders_of_balance (
    order_id BLOB PRIMARY KEY,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    attempt_count INTEGER NOT NULL,
    bonus_coins INTEGER NOT NULL CHECK (bonus_coins >= 0),
    bonus_life_us INTEGER NOT NULL,
    coins INTEGER NOT NULL CHECK (coins >= 0),
    created_at_us INTEGER NOT NULL,
    credit_state INTEGER NOT NULL,
    credited_at_us INTEGER NOT NULL,
    due_at_us INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    live_attempt BLOB NOT NULL,
    object_id BLOB NOT NULL,
    paid_attempt BLOB NOT NULL,
    pay_state INTEGER NOT NULL,
    plan TEXT NOT NULL,
    received_fen INTEGER NOT NULL CHECK (received_fen >= 0),
    refund_state INTEGER NOT NULL,
    refunded_fen INTEGER NOT NULL CHECK (refunded_fen >= 0),
    refunding_fen INTEGER NOT NULL CHECK (refunding_fen >= 0),
    requested_by TEXT NOT NULL,
    scene TEXT NOT NULL,
    user_id BLOB NOT NULL,
    CHECK (refunded_fen + refunding_fen <= received_fen
        OR (received_fen = 0 AND refunding_fen = 0 AND refunded_fen <= amount_fen))
) WITHOUT ROWID;
INSERT INTO orders_of_balance SELECT * FROM orders;
DROP TABLE orders;
ALTER TABLE orders_of_balance RENAME TO orders;
CREATE INDEX orders_by_user ON orders (user_id, order_id);
CREATE INDEX orders_by_object ON orders (object_id) WHERE object_id <> x'';
CREATE INDEX orders_by_due ON orders (due_at_us) WHERE due_at_us > 0
