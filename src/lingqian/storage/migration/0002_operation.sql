-- Operation: who may call, whom to call back. Nothing here is money, so nothing here is journalled.

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- API keys; only a digest of the secret is kept.
CREATE TABLE api_keys (
    key_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    secret_digest BLOB NOT NULL,
    scopes TEXT NOT NULL,
    created_at_us INTEGER NOT NULL,
    revoked_at_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX api_keys_by_name ON api_keys (name) WHERE revoked_at_us = 0;

-- Webhook endpoints, how far each has been served (one position per lane), and its sealed secret.
CREATE TABLE endpoints (
    endpoint_id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    types TEXT NOT NULL,
    secret_sealed BLOB NOT NULL,
    created_at_us INTEGER NOT NULL,
    disabled_at_us INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE endpoint_cursors (
    endpoint_id TEXT NOT NULL,
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (endpoint_id, lane)
) WITHOUT ROWID;

-- Deliveries that wait for a first or another try; done ones are removed.
CREATE TABLE deliveries (
    endpoint_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    due_at_us INTEGER NOT NULL,
    last_status INTEGER NOT NULL,
    PRIMARY KEY (endpoint_id, event_id)
) WITHOUT ROWID;
CREATE INDEX deliveries_by_due ON deliveries (due_at_us);
