-- Operation: who may call, whom to call back, who is signed in and how people prove a payment.
-- Nothing here is money, so nothing here is journalled; columns as on the embedded engine.

-- API keys; only a digest of the secret is kept. A name is one live key's: all live ones were
-- revoked at 0.
CREATE TABLE IF NOT EXISTS api_keys (
    key_id VARCHAR(255) NOT NULL,
    name VARCHAR(255) NOT NULL,
    secret_digest VARBINARY(32) NOT NULL,
    scopes TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    revoked_at_us BIGINT NOT NULL,
    PRIMARY KEY (key_id),
    UNIQUE KEY api_keys_by_name (name, revoked_at_us)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Webhook endpoints, how far each has been served (one position per lane), and its sealed secret.
CREATE TABLE IF NOT EXISTS endpoints (
    endpoint_id VARCHAR(255) NOT NULL,
    url TEXT NOT NULL,
    types TEXT NOT NULL,
    secret_sealed VARBINARY(1023) NOT NULL,
    created_at_us BIGINT NOT NULL,
    disabled_at_us BIGINT NOT NULL,
    PRIMARY KEY (endpoint_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS endpoint_cursors (
    endpoint_id VARCHAR(255) NOT NULL,
    lane BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (endpoint_id, lane)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Deliveries that wait for a first or another try; done ones are removed.
CREATE TABLE IF NOT EXISTS deliveries (
    endpoint_id VARCHAR(255) NOT NULL,
    event_id VARCHAR(255) NOT NULL,
    lane BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    due_at_us BIGINT NOT NULL,
    last_status BIGINT NOT NULL,
    PRIMARY KEY (endpoint_id, event_id),
    KEY deliveries_by_due (due_at_us)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A link signs one device in; only the digest of its token is kept. `session_id`: what it made.
CREATE TABLE IF NOT EXISTS session_links (
    link_id VARBINARY(16) NOT NULL,
    token_digest VARBINARY(32) NOT NULL,
    user_id VARBINARY(16) NOT NULL,
    path TEXT NOT NULL,
    made_by VARCHAR(255) NOT NULL,
    created_at_us BIGINT NOT NULL,
    expires_at_us BIGINT NOT NULL,
    session_id VARBINARY(16) NOT NULL,
    PRIMARY KEY (link_id),
    UNIQUE KEY session_links_by_token (token_digest),
    KEY session_links_by_end (expires_at_us)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A device of a person: the thumbprint of its key, and what the person calls it, sealed.
CREATE TABLE IF NOT EXISTS devices (
    device_id VARBINARY(16) NOT NULL,
    user_id VARBINARY(16) NOT NULL,
    thumbprint VARBINARY(32) NOT NULL,
    name_sealed VARBINARY(1023) NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (device_id),
    UNIQUE KEY devices_by_key (user_id, thumbprint)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A person on a device. Tokens are not kept: the generation says which are good.
CREATE TABLE IF NOT EXISTS sessions (
    session_id VARBINARY(16) NOT NULL,
    user_id VARBINARY(16) NOT NULL,
    device_id VARBINARY(16) NOT NULL,
    generation BIGINT NOT NULL,
    is_confirmed BIGINT NOT NULL,
    rotated_at_us BIGINT NOT NULL,
    ends_at_us BIGINT NOT NULL,
    created_at_us BIGINT NOT NULL,
    seen_at_us BIGINT NOT NULL,
    revoked_at_us BIGINT NOT NULL,
    PRIMARY KEY (session_id),
    KEY sessions_by_user (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Peppered outside the database, then Argon2id. A try is counted before it is looked at.
CREATE TABLE IF NOT EXISTS payment_passwords (
    user_id VARBINARY(16) NOT NULL,
    hashed VARBINARY(255) NOT NULL,
    set_at_us BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    locks BIGINT NOT NULL,
    locked_until_us BIGINT NOT NULL,
    reset_at_us BIGINT NOT NULL,
    PRIMARY KEY (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Whom a person has paid before, as a keyed digest.
CREATE TABLE IF NOT EXISTS payees (
    user_id VARBINARY(16) NOT NULL,
    payee_mac VARBINARY(16) NOT NULL,
    at_us BIGINT NOT NULL,
    PRIMARY KEY (user_id, payee_mac)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What was verified of a person. One identity, one account: chores are one after the other, look
-- first, and `audit` looks again; rows without a number are many, so no index can say it.
CREATE TABLE IF NOT EXISTS real_names (
    user_id VARBINARY(16) NOT NULL,
    name_sealed VARBINARY(1023) NOT NULL,
    number_sealed VARBINARY(255) NOT NULL,
    name_mac VARBINARY(16) NOT NULL,
    number_mac VARBINARY(16) NOT NULL,
    checks BIGINT NOT NULL,
    verified_at_us BIGINT NOT NULL,
    day BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    PRIMARY KEY (user_id),
    KEY real_names_by_number (number_mac)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Passkeys: public keys of people's devices; what a person calls one is sealed.
CREATE TABLE IF NOT EXISTS passkeys (
    credential_id VARBINARY(1023) NOT NULL,
    user_id VARBINARY(16) NOT NULL,
    x VARBINARY(32) NOT NULL,
    y VARBINARY(32) NOT NULL,
    counter BIGINT NOT NULL,
    name_sealed VARBINARY(1023) NOT NULL,
    created_at_us BIGINT NOT NULL,
    used_at_us BIGINT NOT NULL,
    PRIMARY KEY (credential_id),
    KEY passkeys_by_user (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What operators did. Rows are only ever added; each carries a keyed digest over itself and the
-- one before, and `audit` follows the chain.
CREATE TABLE IF NOT EXISTS acts (
    number BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    actor VARCHAR(255) NOT NULL,
    operation VARCHAR(255) NOT NULL,
    subject TEXT NOT NULL,
    status BIGINT NOT NULL,
    chain VARBINARY(32) NOT NULL,
    PRIMARY KEY (number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The sealed secret of a key's one-time codes, and the last one taken.
CREATE TABLE IF NOT EXISTS authenticators (
    key_id VARCHAR(255) NOT NULL,
    secret_sealed VARBINARY(1023) NOT NULL,
    last_step BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    locked_until_us BIGINT NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (key_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Covers of people's own: a picture each, drawn anew by us, sealed.
CREATE TABLE IF NOT EXISTS covers (
    cover_id VARBINARY(16) NOT NULL,
    user_id VARBINARY(16) NOT NULL,
    content_mac VARBINARY(16) NOT NULL,
    image_sealed MEDIUMBLOB NOT NULL,
    created_at_us BIGINT NOT NULL,
    withdrawn_at_us BIGINT NOT NULL,
    PRIMARY KEY (cover_id),
    KEY covers_by_time (created_at_us, cover_id),
    KEY covers_by_user (user_id, created_at_us),
    KEY covers_withdrawn (content_mac, withdrawn_at_us)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Tries a day, counted before a picture is looked at.
CREATE TABLE IF NOT EXISTS cover_days (
    user_id VARBINARY(16) NOT NULL,
    day BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    PRIMARY KEY (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Passkeys of operators, each by the API key that acts with it.
CREATE TABLE IF NOT EXISTS operator_passkeys (
    credential_id VARBINARY(1023) NOT NULL,
    key_id VARCHAR(255) NOT NULL,
    x VARBINARY(32) NOT NULL,
    y VARBINARY(32) NOT NULL,
    counter BIGINT NOT NULL,
    name_sealed VARBINARY(1023) NOT NULL,
    created_at_us BIGINT NOT NULL,
    used_at_us BIGINT NOT NULL,
    challenge_us BIGINT NOT NULL,
    PRIMARY KEY (credential_id),
    KEY operator_passkeys_by_key (key_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
