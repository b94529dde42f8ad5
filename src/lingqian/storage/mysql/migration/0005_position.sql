-- How far each lane has read each stream of a bus, and the messages that were no command of it;
-- columns as on the embedded engine.
CREATE TABLE IF NOT EXISTS positions (
    lane BIGINT NOT NULL,
    stream VARCHAR(255) NOT NULL,
    topic VARBINARY(16) NOT NULL,
    place BIGINT NOT NULL,
    PRIMARY KEY (lane, stream)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS parked_messages (
    message_id VARBINARY(16) NOT NULL,
    lane BIGINT NOT NULL,
    stream VARCHAR(255) NOT NULL,
    topic VARBINARY(16) NOT NULL,
    place BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    reason TEXT NOT NULL,
    mac VARBINARY(16) NOT NULL,
    sealed LONGBLOB NOT NULL,
    PRIMARY KEY (message_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
