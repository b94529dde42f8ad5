-- What the coins of a person's gifts had cost on the day the row speaks of; the caps of factors
-- count it. Gifts of before are not counted, as the journal says of each.
ALTER TABLE usages ADD COLUMN day_gift_fen INTEGER NOT NULL DEFAULT 0;
