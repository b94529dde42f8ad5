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
), 0))
