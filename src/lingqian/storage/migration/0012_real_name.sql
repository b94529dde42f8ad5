-- What was verified of a person. Name and number are sealed; they are found by keyed digests only.
CREATE TABLE real_names (
    user_id BLOB PRIMARY KEY,
    name_sealed BLOB NOT NULL,
    number_sealed BLOB NOT NULL,
    name_mac BLOB NOT NULL,
    number_mac BLOB NOT NULL,
    checks INTEGER NOT NULL,
    verified_at_us INTEGER NOT NULL,
    day INTEGER NOT NULL,
    tries INTEGER NOT NULL
) WITHOUT ROWID;
-- One identity, one account.
CREATE UNIQUE INDEX real_names_by_number ON real_names (number_mac) WHERE number_mac <> x'';
