-- From where advances were asked for.

ALTER TABLE advances ADD COLUMN device VARBINARY(16) NOT NULL DEFAULT '';
ALTER TABLE advances ADD COLUMN address VARBINARY(16) NOT NULL DEFAULT '';

-- The newest advance that was asked for from a device, or an address, of a lane.
CREATE TABLE IF NOT EXISTS askers (
    asker_key VARBINARY(16) NOT NULL,
    order_id VARBINARY(16) NOT NULL,
    PRIMARY KEY (asker_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
