-- Authenticators of operators: the sealed secret of a key's one-time codes, and the last one taken.
CREATE TABLE authenticators (
    key_id TEXT PRIMARY KEY,
    secret_sealed BLOB NOT NULL,
    last_step INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    locked_until_us INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL
) WITHOUT ROWID;
