-- Who: links to sign in with, devices, sessions. Nothing here is money, nothing is journalled.

-- A link signs one device in; only the digest of its token is kept. `session_id`: what it made.
CREATE TABLE session_links (
    link_id BLOB PRIMARY KEY,
    token_digest BLOB NOT NULL,
    user_id BLOB NOT NULL,
    path TEXT NOT NULL,
    made_by TEXT NOT NULL,
    created_at_us INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL,
    session_id BLOB NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX session_links_by_token ON session_links (token_digest);
CREATE INDEX session_links_by_end ON session_links (expires_at_us);

-- A device of a person: the thumbprint of its key, and what the person calls it, sealed.
CREATE TABLE devices (
    device_id BLOB PRIMARY KEY,
    user_id BLOB NOT NULL,
    thumbprint BLOB NOT NULL,
    name_sealed BLOB NOT NULL,
    created_at_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX devices_by_key ON devices (user_id, thumbprint);

-- A person on a device. Tokens are not kept: the generation says which are good.
CREATE TABLE sessions (
    session_id BLOB PRIMARY KEY,
    user_id BLOB NOT NULL,
    device_id BLOB NOT NULL,
    generation INTEGER NOT NULL,
    is_confirmed INTEGER NOT NULL,
    rotated_at_us INTEGER NOT NULL,
    ends_at_us INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL,
    seen_at_us INTEGER NOT NULL,
    revoked_at_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);
