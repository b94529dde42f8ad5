-- Refunds of coins at full price: what the house adds to what they were worth, or keeps of it.

ALTER TABLE refunds ADD COLUMN subsidy_fen INTEGER NOT NULL DEFAULT 0
