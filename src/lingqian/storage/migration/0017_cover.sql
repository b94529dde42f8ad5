-- Covers of people's own: a picture each, drawn anew by us, sealed. A packet names one by a keyed
-- digest of owner and bytes; nothing here is money, so nothing here is journalled.
CREATE TABLE covers (
    cover_id BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL,
    content_mac BLOB NOT NULL,
    image_sealed BLOB NOT NULL,
    created_at_us INTEGER NOT NULL,
    withdrawn_at_us INTEGER NOT NULL
);
CREATE INDEX covers_by_user ON covers (user_id, created_at_us);
CREATE INDEX covers_by_time ON covers (created_at_us, cover_id);
-- What was withdrawn once comes back for nobody.
CREATE INDEX covers_withdrawn ON covers (content_mac) WHERE withdrawn_at_us <> 0;

-- Tries a day, counted before a picture is looked at.
CREATE TABLE cover_days (
    user_id BLOB PRIMARY KEY,
    day INTEGER NOT NULL,
    tries INTEGER NOT NULL
) WITHOUT ROWID;
