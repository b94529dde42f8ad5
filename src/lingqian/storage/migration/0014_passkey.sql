-- Passkeys: public keys of people's devices; what a person calls one is sealed.
CREATE TABLE passkeys (
    credential_id BLOB PRIMARY KEY,
    user_id BLOB NOT NULL,
    x BLOB NOT NULL,
    y BLOB NOT NULL,
    counter INTEGER NOT NULL,
    name_sealed BLOB NOT NULL,
    created_at_us INTEGER NOT NULL,
    used_at_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX passkeys_by_user ON passkeys (user_id);
