-- Many processes on one database. A member lives until a moment of the server's own clock; what it
-- holds ends with it. Nothing here is of the ledger: a lane is fenced by the epoch in its own row.
CREATE TABLE IF NOT EXISTS members (
    member VARCHAR(255) NOT NULL,
    address VARCHAR(255) NOT NULL,
    roles VARCHAR(255) NOT NULL,
    version BIGINT NOT NULL,
    until_us BIGINT NOT NULL,
    PRIMARY KEY (member)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Work that one member does at a time: a lane, the relay, each of the timers. Free: owner is empty.
CREATE TABLE IF NOT EXISTS leases (
    name VARCHAR(255) NOT NULL,
    owner VARCHAR(255) NOT NULL,
    epoch BIGINT NOT NULL,
    PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
