-- Refunds that are sent another way: to the person's card, or to the merchant's own account.

ALTER TABLE refunds ADD COLUMN card_mac BLOB NOT NULL DEFAULT x'';
ALTER TABLE refunds ADD COLUMN way INTEGER NOT NULL DEFAULT 0;
-- Stage 7 waits for a person.
CREATE INDEX refunds_by_stuck ON refunds (refund_id) WHERE stage = 7
