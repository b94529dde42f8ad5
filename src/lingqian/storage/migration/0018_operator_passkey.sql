-- Passkeys of operators, each by the API key that acts with it; no challenge is taken that is not
-- newer than the last one it has answered.
CREATE TABLE operator_passkeys (
    credential_id BLOB PRIMARY KEY,
    key_id TEXT NOT NULL,
    x BLOB NOT NULL,
    y BLOB NOT NULL,
    counter INTEGER NOT NULL,
    name_sealed BLOB NOT NULL,
    created_at_us INTEGER NOT NULL,
    used_at_us INTEGER NOT NULL,
    challenge_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX operator_passkeys_by_key ON operator_passkeys (key_id);
