-- Which outage an advance bridged, and when its person was asked to pay after all.

ALTER TABLE advances ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE advances ADD COLUMN asked_at_us INTEGER NOT NULL DEFAULT 0;
-- Whom to ask, the oldest first.
CREATE INDEX advances_unasked ON advances (created_at_us) WHERE state = 1 AND asked_at_us = 0
