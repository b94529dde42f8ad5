-- What people do on the way to a top-up, as their pages tell it; money never waits for it.

CREATE TABLE behaviour_events (
    event_id BLOB PRIMARY KEY,
    amount_fen INTEGER NOT NULL CHECK (amount_fen >= 0),
    at_us INTEGER NOT NULL,
    order_id BLOB NOT NULL,
    reason TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    scene TEXT NOT NULL,
    step INTEGER NOT NULL,
    trace BLOB NOT NULL CHECK (length(trace) = 16),
    user_id BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX behaviour_events_by_time ON behaviour_events (at_us);
CREATE INDEX behaviour_events_by_person ON behaviour_events (user_id, at_us)
