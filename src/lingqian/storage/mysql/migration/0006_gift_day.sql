-- What the coins of a person's gifts had cost on the day the row speaks of.

ALTER TABLE usages ADD COLUMN day_gift_fen BIGINT NOT NULL DEFAULT 0;
