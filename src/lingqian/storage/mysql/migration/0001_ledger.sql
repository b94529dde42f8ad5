-- The ledger on the MySQL protocol: what a lane writes, column by column as on the embedded engine.
-- Bytes are compared byte by byte and so is text; what is no law of the ledger has no index here:
-- an index comes with the question that it answers. Almost every key begins with its lane.

-- One row per lane: fence (epoch), dense sequence, last batch, head of the chain. And who raised
-- the epoch last: a token, the number of his connection at the server, and since when by its clock;
-- a connection that stopped in the middle of a commit holds this row until somebody ends it.
CREATE TABLE IF NOT EXISTS lanes (
    lane BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    next_seq BIGINT NOT NULL,
    batch_id VARBINARY(16) NOT NULL,
    head VARBINARY(32) NOT NULL,
    at_us BIGINT NOT NULL,
    owner VARBINARY(16) NOT NULL,
    connection BIGINT NOT NULL,
    connected_s BIGINT NOT NULL,
    PRIMARY KEY (lane)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The truth: one row per command that changed something or burnt its key.
CREATE TABLE IF NOT EXISTS journal (
    lane BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    code BIGINT NOT NULL,
    body MEDIUMBLOB NOT NULL,
    PRIMARY KEY (lane, seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- One seal per batch: the head of the chain after it.
CREATE TABLE IF NOT EXISTS seals (
    lane BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    first_seq BIGINT NOT NULL,
    batch_id VARBINARY(16) NOT NULL,
    epoch BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    head VARBINARY(32) NOT NULL,
    PRIMARY KEY (lane, last_seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Idempotency keys that are used up, for ever.
CREATE TABLE IF NOT EXISTS "keys" (
    "key" VARBINARY(16) NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY ("key")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Each account's history; the balance after every posting, so a balance at a time is one seek.
CREATE TABLE IF NOT EXISTS entries (
    account VARBINARY(18) NOT NULL,
    seq BIGINT NOT NULL,
    leg BIGINT NOT NULL,
    amount_fen BIGINT NOT NULL,
    balance_after_fen BIGINT NOT NULL,
    PRIMARY KEY (account, seq, leg)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS relays (
    source VARBINARY(2) NOT NULL,
    target VARBINARY(2) NOT NULL,
    number BIGINT NOT NULL,
    account VARBINARY(18) NOT NULL,
    amount_fen BIGINT NOT NULL CHECK (amount_fen > 0),
    seq BIGINT NOT NULL,
    PRIMARY KEY (source, target, number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Which journal rows tell the story of an order, a refund, a payout, a gift or a notice.
CREATE TABLE IF NOT EXISTS trails (
    subject_id VARBINARY(16) NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (subject_id, seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Personal data, encrypted field by field; the journal holds only its keyed digest.
CREATE TABLE IF NOT EXISTS personal (
    owner_id VARBINARY(16) NOT NULL,
    field BIGINT NOT NULL,
    cipher LONGBLOB NOT NULL,
    mac VARBINARY(32) NOT NULL,
    PRIMARY KEY (owner_id, field)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS users (
    user_id VARBINARY(16) NOT NULL,
    external_mac VARBINARY(32) NOT NULL,
    nickname_mac VARBINARY(32) NOT NULL,
    account_class BIGINT NOT NULL,
    state BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (user_id),
    UNIQUE KEY users_by_external (external_mac)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS usages (
    user_id VARBINARY(16) NOT NULL,
    day BIGINT NOT NULL,
    day_count BIGINT NOT NULL,
    day_fen BIGINT NOT NULL,
    year BIGINT NOT NULL,
    year_fen BIGINT NOT NULL,
    life_fen BIGINT NOT NULL,
    PRIMARY KEY (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS accounts (
    account VARBINARY(18) NOT NULL,
    debits_posted BIGINT NOT NULL CHECK (debits_posted >= 0),
    credits_posted BIGINT NOT NULL CHECK (credits_posted >= 0),
    debits_pending BIGINT NOT NULL CHECK (debits_pending >= 0),
    credits_pending BIGINT NOT NULL CHECK (credits_pending >= 0),
    seq BIGINT NOT NULL,
    PRIMARY KEY (account)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS holds (
    hold_id VARBINARY(16) NOT NULL,
    amount_fen BIGINT NOT NULL CHECK (amount_fen > 0),
    at_us BIGINT NOT NULL,
    credit VARBINARY(18) NOT NULL,
    debit VARBINARY(18) NOT NULL,
    state BIGINT NOT NULL,
    PRIMARY KEY (hold_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS transfers (
    transfer_id VARBINARY(16) NOT NULL,
    amount_fen BIGINT NOT NULL CHECK (amount_fen > 0),
    at_us BIGINT NOT NULL,
    note_mac VARBINARY(32) NOT NULL,
    source_id VARBINARY(16) NOT NULL,
    state BIGINT NOT NULL,
    target_id VARBINARY(16) NOT NULL,
    PRIMARY KEY (transfer_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS conversations (
    conversation VARBINARY(256) NOT NULL,
    members MEDIUMBLOB NOT NULL,
    PRIMARY KEY (conversation)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS packets (
    packet_id VARBINARY(16) NOT NULL,
    sender_id VARBINARY(16) NOT NULL,
    kind BIGINT NOT NULL,
    is_lucky BIGINT NOT NULL,
    total_fen BIGINT NOT NULL CHECK (total_fen > 0),
    "count" BIGINT NOT NULL CHECK ("count" > 0),
    share_fen_min BIGINT NOT NULL,
    share_fen_max BIGINT NOT NULL,
    spread BIGINT NOT NULL,
    lifetime_us BIGINT NOT NULL,
    draw_at_us BIGINT NOT NULL,
    awaits_entropy BIGINT NOT NULL,
    conversation_id VARCHAR(255) NOT NULL,
    recipients BLOB NOT NULL,
    passphrase_mac VARBINARY(32) NOT NULL,
    greeting_mac VARBINARY(32) NOT NULL,
    cover VARCHAR(255) NOT NULL,
    commitment VARBINARY(32) NOT NULL,
    seed_sealed VARBINARY(255) NOT NULL,
    beacon_chain VARBINARY(32) NOT NULL,
    beacon_round BIGINT NOT NULL,
    created_at_us BIGINT NOT NULL,
    is_by_channel BIGINT NOT NULL,
    PRIMARY KEY (packet_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS progress (
    packet_id VARBINARY(16) NOT NULL,
    await_until_us BIGINT NOT NULL,
    beacon VARBINARY(32) NOT NULL,
    beacon_signature VARBINARY(255) NOT NULL,
    chain VARBINARY(32) NOT NULL,
    claimed_count BIGINT NOT NULL,
    claimed_fen BIGINT NOT NULL,
    closed_at_us BIGINT NOT NULL,
    due_at_us BIGINT NOT NULL,
    entropy VARBINARY(32) NOT NULL,
    entropy_at_us BIGINT NOT NULL,
    expires_at_us BIGINT NOT NULL,
    returned_fen BIGINT NOT NULL,
    state BIGINT NOT NULL,
    ticket_count BIGINT NOT NULL,
    wants_round BIGINT NOT NULL,
    PRIMARY KEY (packet_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The key is the one-claim rule; the index by ticket is the one-share rule.
CREATE TABLE IF NOT EXISTS claims (
    packet_id VARBINARY(16) NOT NULL,
    user_id VARBINARY(16) NOT NULL,
    amount_fen BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    chain VARBINARY(32) NOT NULL,
    pseudonym VARBINARY(32) NOT NULL,
    seq BIGINT NOT NULL,
    share BIGINT NOT NULL,
    ticket BIGINT NOT NULL,
    PRIMARY KEY (packet_id, user_id),
    UNIQUE KEY claims_by_ticket (packet_id, ticket)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tries (
    packet_id VARBINARY(16) NOT NULL,
    user_id VARBINARY(16) NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (packet_id, user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Four eyes: who asked for what was stopped cannot be who decides about it.
CREATE TABLE IF NOT EXISTS cases (
    case_id VARBINARY(16) NOT NULL,
    action BIGINT NOT NULL,
    amount_fen BIGINT NOT NULL,
    decided_by VARCHAR(255) NOT NULL,
    due_at_us BIGINT NOT NULL,
    object_id VARBINARY(16) NOT NULL,
    opened_at_us BIGINT NOT NULL,
    owner VARCHAR(255) NOT NULL,
    requested_by VARCHAR(255) NOT NULL,
    rule VARCHAR(255) NOT NULL,
    state BIGINT NOT NULL,
    user_id VARBINARY(16) NOT NULL,
    verdict BIGINT NOT NULL,
    PRIMARY KEY (case_id),
    CHECK (decided_by = '' OR decided_by <> requested_by)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS orders (
    order_id VARBINARY(16) NOT NULL,
    amount_fen BIGINT NOT NULL CHECK (amount_fen > 0),
    attempt_count BIGINT NOT NULL,
    bonus_coins BIGINT NOT NULL CHECK (bonus_coins >= 0),
    bonus_life_us BIGINT NOT NULL,
    coins BIGINT NOT NULL CHECK (coins >= 0),
    created_at_us BIGINT NOT NULL,
    credit_state BIGINT NOT NULL,
    credited_at_us BIGINT NOT NULL,
    due_at_us BIGINT NOT NULL,
    expires_at_us BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    live_attempt VARBINARY(16) NOT NULL,
    object_id VARBINARY(16) NOT NULL,
    paid_attempt VARBINARY(16) NOT NULL,
    pay_state BIGINT NOT NULL,
    plan VARCHAR(255) NOT NULL,
    received_fen BIGINT NOT NULL CHECK (received_fen >= 0),
    refund_state BIGINT NOT NULL,
    refunded_fen BIGINT NOT NULL CHECK (refunded_fen >= 0),
    refunding_fen BIGINT NOT NULL CHECK (refunding_fen >= 0),
    requested_by VARCHAR(255) NOT NULL,
    scene VARCHAR(255) NOT NULL,
    user_id VARBINARY(16) NOT NULL,
    PRIMARY KEY (order_id),
    CHECK (refunded_fen + refunding_fen <= received_fen
        OR (received_fen = 0 AND refunding_fen = 0 AND refunded_fen <= amount_fen))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS attempts (
    attempt_id VARBINARY(16) NOT NULL,
    account VARCHAR(255) NOT NULL,
    amount_fen BIGINT NOT NULL CHECK (amount_fen > 0),
    created_at_us BIGINT NOT NULL,
    fee_fen BIGINT NOT NULL,
    is_late BIGINT NOT NULL,
    mark BIGINT NOT NULL,
    order_id VARBINARY(16) NOT NULL,
    paid_fen BIGINT NOT NULL CHECK (paid_fen >= 0),
    payer_fen BIGINT NOT NULL,
    payer_mac VARBINARY(32) NOT NULL,
    prepaid_until_us BIGINT NOT NULL,
    product BIGINT NOT NULL,
    query_due_at_us BIGINT NOT NULL,
    rebate_fen BIGINT NOT NULL,
    refund_at_us BIGINT NOT NULL,
    refund_count BIGINT NOT NULL,
    refunded_fen BIGINT NOT NULL CHECK (refunded_fen >= 0),
    refunding_fen BIGINT NOT NULL CHECK (refunding_fen >= 0),
    service_fee_fen BIGINT NOT NULL,
    settle_fen BIGINT NOT NULL,
    state BIGINT NOT NULL,
    success_at_us BIGINT NOT NULL,
    transaction_id VARCHAR(255) NOT NULL,
    tries BIGINT NOT NULL,
    PRIMARY KEY (attempt_id),
    CHECK (refunded_fen + refunding_fen <= paid_fen)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS transactions (
    transaction_key VARBINARY(16) NOT NULL,
    account VARCHAR(255) NOT NULL,
    amount_fen BIGINT NOT NULL CHECK (amount_fen > 0),
    at_us BIGINT NOT NULL,
    attempt_id VARBINARY(16) NOT NULL,
    parked_fen BIGINT NOT NULL,
    reason BIGINT NOT NULL,
    success_at_us BIGINT NOT NULL,
    transaction_id VARCHAR(255) NOT NULL,
    refund_count BIGINT NOT NULL,
    settle_fen BIGINT NOT NULL,
    PRIMARY KEY (transaction_key),
    CHECK (parked_fen BETWEEN 0 AND amount_fen)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS notices (
    notice_key VARBINARY(16) NOT NULL,
    account VARCHAR(255) NOT NULL,
    at_us BIGINT NOT NULL,
    attempt_id VARBINARY(16) NOT NULL,
    copies BIGINT NOT NULL,
    digest VARBINARY(32) NOT NULL,
    event TEXT NOT NULL,
    reason BIGINT NOT NULL,
    signed_at_us BIGINT NOT NULL,
    state BIGINT NOT NULL,
    PRIMARY KEY (notice_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS refunds (
    refund_id VARBINARY(16) NOT NULL,
    amount_fen BIGINT NOT NULL CHECK (amount_fen > 0),
    attempt_id VARBINARY(16) NOT NULL,
    channel_refund_id TEXT NOT NULL,
    coins_bonus BIGINT NOT NULL CHECK (coins_bonus >= 0),
    coins_paid BIGINT NOT NULL CHECK (coins_paid >= 0),
    created_at_us BIGINT NOT NULL,
    due_at_us BIGINT NOT NULL,
    fee_back_fen BIGINT NOT NULL,
    order_id VARBINARY(16) NOT NULL,
    origin BIGINT NOT NULL,
    parent VARBINARY(16) NOT NULL,
    reason_mac VARBINARY(32) NOT NULL,
    stage BIGINT NOT NULL,
    success_at_us BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    user_id VARBINARY(16) NOT NULL,
    card_mac VARBINARY(32) NOT NULL,
    transaction_key VARBINARY(16) NOT NULL,
    way BIGINT NOT NULL,
    subsidy_fen BIGINT NOT NULL,
    PRIMARY KEY (refund_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS grants (
    order_id VARBINARY(16) NOT NULL,
    bonus_coins BIGINT NOT NULL CHECK (bonus_coins >= 0),
    bonus_expires_at_us BIGINT NOT NULL,
    bonus_frozen BIGINT NOT NULL,
    bonus_left BIGINT NOT NULL,
    cash_fen BIGINT NOT NULL CHECK (cash_fen >= 0),
    created_at_us BIGINT NOT NULL,
    due_at_us BIGINT NOT NULL,
    is_advance BIGINT NOT NULL,
    paid_coins BIGINT NOT NULL CHECK (paid_coins >= 0),
    paid_frozen BIGINT NOT NULL,
    paid_left BIGINT NOT NULL,
    released_fen BIGINT NOT NULL,
    user_id VARBINARY(16) NOT NULL,
    PRIMARY KEY (order_id),
    KEY grants_by_user (user_id, order_id),
    CHECK (bonus_frozen BETWEEN 0 AND bonus_left),
    CHECK (bonus_left BETWEEN 0 AND bonus_coins),
    CHECK (paid_frozen BETWEEN 0 AND paid_left),
    CHECK (paid_left BETWEEN 0 AND paid_coins),
    CHECK (released_fen BETWEEN 0 AND cash_fen)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS inflows (
    user_id VARBINARY(16) NOT NULL,
    day BIGINT NOT NULL,
    day_fen BIGINT NOT NULL,
    PRIMARY KEY (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS gifts (
    gift_id VARBINARY(16) NOT NULL,
    at_us BIGINT NOT NULL,
    code VARCHAR(255) NOT NULL,
    coins BIGINT NOT NULL CHECK (coins > 0),
    "count" BIGINT NOT NULL CHECK ("count" > 0),
    platform_fen BIGINT NOT NULL CHECK (platform_fen >= 0),
    scene VARCHAR(255) NOT NULL,
    settles_at_us BIGINT NOT NULL,
    state BIGINT NOT NULL,
    streamer_fen BIGINT NOT NULL CHECK (streamer_fen >= 0),
    streamer_id VARBINARY(16) NOT NULL,
    user_id VARBINARY(16) NOT NULL,
    value_fen BIGINT NOT NULL,
    PRIMARY KEY (gift_id),
    CHECK (value_fen = streamer_fen + platform_fen)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS payouts (
    payout_id VARBINARY(16) NOT NULL,
    account VARCHAR(255) NOT NULL,
    amount_fen BIGINT NOT NULL CHECK (amount_fen > 0),
    channel_no TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    due_at_us BIGINT NOT NULL,
    fail_reason TEXT NOT NULL,
    payee_mac VARBINARY(32) NOT NULL,
    release_at_us BIGINT NOT NULL,
    requested_by VARCHAR(255) NOT NULL,
    stage BIGINT NOT NULL,
    submitted_at_us BIGINT NOT NULL,
    success_at_us BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    user_id VARBINARY(16) NOT NULL,
    PRIMARY KEY (payout_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS days (
    day_id VARBINARY(16) NOT NULL,
    account VARCHAR(255) NOT NULL,
    carried BIGINT NOT NULL,
    closed_at_us BIGINT NOT NULL,
    closed_by VARCHAR(255) NOT NULL,
    closing_fen BIGINT NOT NULL,
    day BIGINT NOT NULL,
    fund_digest VARBINARY(32) NOT NULL,
    items BIGINT NOT NULL,
    opening_fen BIGINT NOT NULL,
    ours_fen BIGINT NOT NULL,
    owned BIGINT NOT NULL,
    result_digest VARBINARY(32) NOT NULL,
    sheet_digest VARBINARY(32) NOT NULL,
    state BIGINT NOT NULL,
    theirs_fen BIGINT NOT NULL,
    trade_digest VARBINARY(32) NOT NULL,
    PRIMARY KEY (day_id),
    UNIQUE KEY days_by_account (account, day)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Four eyes here too.
CREATE TABLE IF NOT EXISTS differences (
    difference_id VARBINARY(16) NOT NULL,
    account VARCHAR(255) NOT NULL,
    asked_by VARCHAR(255) NOT NULL,
    class_code VARCHAR(255) NOT NULL,
    day BIGINT NOT NULL,
    decided_by VARCHAR(255) NOT NULL,
    due_at_us BIGINT NOT NULL,
    fee_gap_fen BIGINT NOT NULL,
    found_at_us BIGINT NOT NULL,
    gap_fen BIGINT NOT NULL,
    is_booked BIGINT NOT NULL,
    note_mac VARBINARY(32) NOT NULL,
    number VARCHAR(255) NOT NULL,
    owner BIGINT NOT NULL,
    remedy BIGINT NOT NULL,
    state BIGINT NOT NULL,
    way BIGINT NOT NULL,
    PRIMARY KEY (difference_id),
    CHECK (decided_by = '' OR decided_by <> asked_by)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS flows (
    flow_id VARBINARY(16) NOT NULL,
    account VARCHAR(255) NOT NULL,
    amount_fen BIGINT NOT NULL CHECK (amount_fen <> 0),
    day BIGINT NOT NULL,
    flow_no VARCHAR(255) NOT NULL,
    label TEXT NOT NULL,
    subject_id VARBINARY(16) NOT NULL,
    PRIMARY KEY (flow_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS advances (
    order_id VARBINARY(16) NOT NULL,
    amount_fen BIGINT NOT NULL CHECK (amount_fen > 0),
    created_at_us BIGINT NOT NULL,
    deadline_us BIGINT NOT NULL,
    due_at_us BIGINT NOT NULL,
    ended_at_us BIGINT NOT NULL,
    owed_fen BIGINT NOT NULL CHECK (owed_fen >= 0),
    state BIGINT NOT NULL,
    unspent_fen BIGINT NOT NULL CHECK (unspent_fen >= 0),
    user_id VARBINARY(16) NOT NULL,
    account VARCHAR(255) NOT NULL,
    asked_at_us BIGINT NOT NULL,
    device VARBINARY(16) NOT NULL,
    address VARBINARY(16) NOT NULL,
    PRIMARY KEY (order_id),
    CHECK (unspent_fen + owed_fen IN (0, amount_fen))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS askers (
    asker_key VARBINARY(16) NOT NULL,
    order_id VARBINARY(16) NOT NULL,
    PRIMARY KEY (asker_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS borrowers (
    user_id VARBINARY(16) NOT NULL,
    open_order VARBINARY(16) NOT NULL,
    owed_fen BIGINT NOT NULL CHECK (owed_fen >= 0),
    owing_order VARBINARY(16) NOT NULL,
    PRIMARY KEY (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Exposure never exceeds the limit.
CREATE TABLE IF NOT EXISTS "lines" (
    lane VARBINARY(2) NOT NULL,
    limit_fen BIGINT NOT NULL,
    lost_fen BIGINT NOT NULL CHECK (lost_fen >= 0),
    minute BIGINT NOT NULL,
    minute_fen BIGINT NOT NULL,
    open_fen BIGINT NOT NULL CHECK (open_fen >= 0),
    PRIMARY KEY (lane),
    CHECK (open_fen + lost_fen <= limit_fen)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS modes (
    mode_key VARBINARY(16) NOT NULL,
    account VARCHAR(255) NOT NULL,
    "by" VARCHAR(255) NOT NULL,
    mode BIGINT NOT NULL,
    since_us BIGINT NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (mode_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS behaviour_events (
    event_id VARBINARY(16) NOT NULL,
    amount_fen BIGINT NOT NULL CHECK (amount_fen >= 0),
    at_us BIGINT NOT NULL,
    order_id VARBINARY(16) NOT NULL,
    reason TEXT NOT NULL,
    received_us BIGINT NOT NULL,
    scene VARCHAR(255) NOT NULL,
    step BIGINT NOT NULL,
    trace VARBINARY(32) NOT NULL CHECK (length(trace) = 16),
    user_id VARBINARY(16) NOT NULL,
    PRIMARY KEY (event_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS relay_heads (
    source VARBINARY(2) NOT NULL,
    target VARBINARY(2) NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (source, target)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS relay_marks (
    target VARBINARY(2) NOT NULL,
    source VARBINARY(2) NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (target, source)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What the process keeps of itself; nothing of it is money.
CREATE TABLE IF NOT EXISTS settings (
    name VARCHAR(255) NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
