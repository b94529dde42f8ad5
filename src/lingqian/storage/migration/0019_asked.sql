-- What is asked for: refunds of coins at full price, and from where advances were asked.

-- What the house adds to what coins were worth, or keeps of it.
ALTER TABLE refunds ADD COLUMN subsidy_fen INTEGER NOT NULL DEFAULT 0;

-- Keyed digests of the device and the address an advance was asked from; empty where none is known.
ALTER TABLE advances ADD COLUMN device BLOB NOT NULL DEFAULT x'';
ALTER TABLE advances ADD COLUMN address BLOB NOT NULL DEFAULT x'';
-- A batch may end one advance and open the next, in any order of their rows: the lane sees to it
-- that a person has one, and the audit looks again; an index that minds in between would lose the
-- batch.
DROP INDEX advances_open;
CREATE INDEX advances_open ON advances (user_id) WHERE state = 1;
CREATE INDEX advances_by_device ON advances (device) WHERE device <> x'';
CREATE INDEX advances_by_address ON advances (address) WHERE address <> x'';

-- The newest advance that was asked for from a device, or an address, of a lane.
CREATE TABLE askers (
    asker_key BLOB PRIMARY KEY,
    order_id BLOB NOT NULL
) WITHOUT ROWID;
-- The same place as another lane knows it.
CREATE INDEX askers_by_place ON askers (substr(asker_key, 3))
