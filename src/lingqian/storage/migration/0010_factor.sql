-- By what a person proves a payment. Nothing here is money, so nothing here is journalled; which
-- kinds of proof were used stands in the journal, in the payment's own command.

-- Peppered outside the database, then Argon2id. A try is counted before it is looked at.
CREATE TABLE payment_passwords (
    user_id BLOB PRIMARY KEY,
    hashed BLOB NOT NULL,
    set_at_us INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    locks INTEGER NOT NULL,
    locked_until_us INTEGER NOT NULL,
    reset_at_us INTEGER NOT NULL
) WITHOUT ROWID;

-- Whom a person has paid before, as a keyed digest: the first payment to somebody asks for more.
CREATE TABLE payees (
    user_id BLOB NOT NULL,
    payee_mac BLOB NOT NULL,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (user_id, payee_mac)
) WITHOUT ROWID;
