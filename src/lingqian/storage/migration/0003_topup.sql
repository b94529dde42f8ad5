-- Top-up: orders, attempts, evidence, coins and refunds; and the second pair of eyes of a case.

CREATE TABLE orders (
    order_id BLOB PRIMARY KEY,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    attempt_count INTEGER NOT NULL,
    bonus_coins INTEGER NOT NULL CHECK (bonus_coins >= 0),
    bonus_life_us INTEGER NOT NULL,
    coins INTEGER NOT NULL CHECK (coins >= 0),
    created_at_us INTEGER NOT NULL,
    credit_state INTEGER NOT NULL,
    credited_at_us INTEGER NOT NULL,
    due_at_us INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    live_attempt BLOB NOT NULL,
    object_id BLOB NOT NULL,
    paid_attempt BLOB NOT NULL,
    pay_state INTEGER NOT NULL,
    plan TEXT NOT NULL,
    received_fen INTEGER NOT NULL CHECK (received_fen >= 0),
    refund_state INTEGER NOT NULL,
    refunded_fen INTEGER NOT NULL CHECK (refunded_fen >= 0),
    refunding_fen INTEGER NOT NULL CHECK (refunding_fen >= 0),
    requested_by TEXT NOT NULL,
    scene TEXT NOT NULL,
    user_id BLOB NOT NULL,
    CHECK (refunded_fen + refunding_fen <= received_fen)
) WITHOUT ROWID;
CREATE INDEX orders_by_user ON orders (user_id, order_id);
CREATE INDEX orders_by_object ON orders (object_id) WHERE object_id <> x'';
CREATE INDEX orders_by_due ON orders (due_at_us) WHERE due_at_us > 0;

CREATE TABLE attempts (
    attempt_id BLOB PRIMARY KEY,
    account TEXT NOT NULL,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    created_at_us INTEGER NOT NULL,
    fee_fen INTEGER NOT NULL,
    is_late INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    order_id BLOB NOT NULL,
    paid_fen INTEGER NOT NULL CHECK (paid_fen >= 0),
    payer_fen INTEGER NOT NULL,
    payer_mac BLOB NOT NULL,
    prepaid_until_us INTEGER NOT NULL,
    product INTEGER NOT NULL,
    query_due_at_us INTEGER NOT NULL,
    rebate_fen INTEGER NOT NULL,
    refund_at_us INTEGER NOT NULL,
    refund_count INTEGER NOT NULL,
    refunded_fen INTEGER NOT NULL CHECK (refunded_fen >= 0),
    refunding_fen INTEGER NOT NULL CHECK (refunding_fen >= 0),
    service_fee_fen INTEGER NOT NULL,
    settle_fen INTEGER NOT NULL,
    state INTEGER NOT NULL,
    success_at_us INTEGER NOT NULL,
    transaction_id TEXT NOT NULL,
    tries INTEGER NOT NULL,
    CHECK (refunded_fen + refunding_fen <= paid_fen)
) WITHOUT ROWID;
CREATE INDEX attempts_by_order ON attempts (order_id, attempt_id);
CREATE INDEX attempts_by_query ON attempts (query_due_at_us) WHERE query_due_at_us > 0;
CREATE INDEX attempts_by_success ON attempts (account, success_at_us) WHERE success_at_us > 0;
CREATE INDEX attempts_by_transaction ON attempts (transaction_id) WHERE transaction_id <> '';

-- One transaction of a channel pays one attempt; what could not be placed is parked.
CREATE TABLE transactions (
    transaction_key BLOB PRIMARY KEY,
    account TEXT NOT NULL,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    at_us INTEGER NOT NULL,
    attempt_id BLOB NOT NULL,
    parked_fen INTEGER NOT NULL CHECK (parked_fen BETWEEN 0 AND amount_fen),
    reason INTEGER NOT NULL,
    success_at_us INTEGER NOT NULL,
    transaction_id TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX transactions_by_parked ON transactions (at_us) WHERE parked_fen > 0;
CREATE INDEX transactions_by_attempt ON transactions (attempt_id);
CREATE INDEX transactions_by_id ON transactions (transaction_id);

CREATE TABLE notices (
    notice_key BLOB PRIMARY KEY,
    account TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    attempt_id BLOB NOT NULL,
    copies INTEGER NOT NULL,
    digest BLOB NOT NULL,
    event TEXT NOT NULL,
    reason INTEGER NOT NULL,
    signed_at_us INTEGER NOT NULL,
    state INTEGER NOT NULL
) WITHOUT ROWID;
-- States 0 and 3 wait: received, parked.
CREATE INDEX notices_by_waiting ON notices (state, at_us) WHERE state IN (0, 3);
CREATE INDEX notices_by_attempt ON notices (attempt_id) WHERE attempt_id <> x'';

CREATE TABLE refunds (
    refund_id BLOB PRIMARY KEY,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    attempt_id BLOB NOT NULL,
    channel_refund_id TEXT NOT NULL,
    coins_bonus INTEGER NOT NULL CHECK (coins_bonus >= 0),
    coins_paid INTEGER NOT NULL CHECK (coins_paid >= 0),
    created_at_us INTEGER NOT NULL,
    due_at_us INTEGER NOT NULL,
    fee_back_fen INTEGER NOT NULL,
    order_id BLOB NOT NULL,
    origin INTEGER NOT NULL,
    parent BLOB NOT NULL,
    reason_mac BLOB NOT NULL,
    stage INTEGER NOT NULL,
    success_at_us INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    user_id BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX refunds_by_order ON refunds (order_id, refund_id);
CREATE INDEX refunds_by_user ON refunds (user_id, refund_id);
CREATE INDEX refunds_by_due ON refunds (due_at_us) WHERE due_at_us > 0;
CREATE INDEX refunds_by_success ON refunds (success_at_us) WHERE success_at_us > 0;

CREATE TABLE grants (
    order_id BLOB PRIMARY KEY,
    bonus_coins INTEGER NOT NULL CHECK (bonus_coins >= 0),
    bonus_expires_at_us INTEGER NOT NULL,
    bonus_frozen INTEGER NOT NULL CHECK (bonus_frozen BETWEEN 0 AND bonus_left),
    bonus_left INTEGER NOT NULL CHECK (bonus_left BETWEEN 0 AND bonus_coins),
    cash_fen INTEGER NOT NULL CHECK (cash_fen >= 0),
    created_at_us INTEGER NOT NULL,
    due_at_us INTEGER NOT NULL,
    is_advance INTEGER NOT NULL,
    paid_coins INTEGER NOT NULL CHECK (paid_coins >= 0),
    paid_frozen INTEGER NOT NULL CHECK (paid_frozen BETWEEN 0 AND paid_left),
    paid_left INTEGER NOT NULL CHECK (paid_left BETWEEN 0 AND paid_coins),
    released_fen INTEGER NOT NULL CHECK (released_fen BETWEEN 0 AND cash_fen),
    user_id BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX grants_by_user ON grants (user_id, order_id) WHERE paid_left + bonus_left > 0;
CREATE INDEX grants_by_due ON grants (due_at_us) WHERE due_at_us > 0;

CREATE TABLE inflows (
    user_id BLOB PRIMARY KEY,
    day INTEGER NOT NULL,
    day_fen INTEGER NOT NULL
) WITHOUT ROWID;

-- Which journal rows tell the story of an order, a refund, a payout, a gift or a notice.
CREATE TABLE trails (
    subject_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (subject_id, seq)
) WITHOUT ROWID;

-- Whether an order pays for a packet over a channel; 0 where the balance has paid.
ALTER TABLE packets ADD COLUMN is_by_channel INTEGER NOT NULL DEFAULT 0;

-- Four eyes: who asked for what was stopped cannot be who decides about it.
CREATE TABLE cases_checked (
    case_id BLOB PRIMARY KEY,
    action INTEGER NOT NULL,
    amount_fen INTEGER NOT NULL,
    decided_by TEXT NOT NULL,
    due_at_us INTEGER NOT NULL,
    object_id BLOB NOT NULL,
    opened_at_us INTEGER NOT NULL,
    owner TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    rule TEXT NOT NULL,
    state INTEGER NOT NULL,
    user_id BLOB NOT NULL,
    verdict INTEGER NOT NULL,
    CHECK (decided_by = '' OR decided_by <> requested_by)
) WITHOUT ROWID;
INSERT INTO cases_checked SELECT case_id, action, amount_fen, decided_by, due_at_us, object_id,
    opened_at_us, owner, '', rule, state, user_id, verdict FROM cases;
DROP TABLE cases;
ALTER TABLE cases_checked RENAME TO cases;
CREATE INDEX cases_by_due ON cases (due_at_us) WHERE state IN (1, 2, 3);
CREATE INDEX cases_by_object ON cases (object_id);
