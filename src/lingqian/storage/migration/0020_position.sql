-- How far each lane has read each stream of a bus, written in the same transaction as what the
-- messages did. `topic` tells a topic from one of the same name made later: there, place 0 is next.
CREATE TABLE positions (
    lane INTEGER NOT NULL,
    stream TEXT NOT NULL,
    topic BLOB NOT NULL,
    place INTEGER NOT NULL CHECK (place >= 0),
    PRIMARY KEY (lane, stream)
) WITHOUT ROWID;

-- Messages that were no command of this lane: passed over, never dropped. The bytes are sealed,
-- because they may tell of people; `mac` is their keyed digest.
CREATE TABLE parked_messages (
    message_id BLOB PRIMARY KEY,
    lane INTEGER NOT NULL,
    stream TEXT NOT NULL,
    topic BLOB NOT NULL,
    place INTEGER NOT NULL CHECK (place >= 0),
    at_us INTEGER NOT NULL,
    reason TEXT NOT NULL,
    mac BLOB NOT NULL,
    sealed BLOB NOT NULL
) WITHOUT ROWID
