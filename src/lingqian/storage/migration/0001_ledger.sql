-- The ledger: one journal, the typed tables folded from it, and what binds them together.

-- One row per lane: fence (epoch), dense sequence, last batch, head of the chain.
CREATE TABLE lanes (
    lane INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    next_seq INTEGER NOT NULL,
    batch_id BLOB NOT NULL,
    head BLOB NOT NULL,
    at_us INTEGER NOT NULL
);

-- The truth: one row per command that changed something or burnt its key.
CREATE TABLE journal (
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    code INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (lane, seq)
) WITHOUT ROWID;

-- One seal per batch: the head of the chain after it.
CREATE TABLE seals (
    lane INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    batch_id BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    head BLOB NOT NULL,
    PRIMARY KEY (lane, last_seq)
) WITHOUT ROWID;

-- Idempotency keys that are used up, for ever.
CREATE TABLE keys (
    key BLOB PRIMARY KEY,
    seq INTEGER NOT NULL
) WITHOUT ROWID;

-- Each account's history; the balance after every posting, so a balance at a time is one seek.
CREATE TABLE entries (
    account BLOB NOT NULL,
    seq INTEGER NOT NULL,
    leg INTEGER NOT NULL,
    amount_fen INTEGER NOT NULL,
    balance_after_fen INTEGER NOT NULL,
    PRIMARY KEY (account, seq, leg)
) WITHOUT ROWID;

CREATE TABLE accounts (
    account BLOB PRIMARY KEY,
    debits_posted INTEGER NOT NULL CHECK (debits_posted >= 0),
    credits_posted INTEGER NOT NULL CHECK (credits_posted >= 0),
    debits_pending INTEGER NOT NULL CHECK (debits_pending >= 0),
    credits_pending INTEGER NOT NULL CHECK (credits_pending >= 0),
    seq INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE users (
    user_id BLOB PRIMARY KEY,
    external_mac BLOB NOT NULL,
    nickname_mac BLOB NOT NULL,
    account_class INTEGER NOT NULL,
    state INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX users_by_external ON users (external_mac);

CREATE TABLE usages (
    user_id BLOB PRIMARY KEY,
    day INTEGER NOT NULL,
    day_count INTEGER NOT NULL,
    day_fen INTEGER NOT NULL,
    year INTEGER NOT NULL,
    year_fen INTEGER NOT NULL,
    life_fen INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE holds (
    hold_id BLOB PRIMARY KEY,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    at_us INTEGER NOT NULL,
    credit BLOB NOT NULL,
    debit BLOB NOT NULL,
    state INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE transfers (
    transfer_id BLOB PRIMARY KEY,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    at_us INTEGER NOT NULL,
    note_mac BLOB NOT NULL,
    source_id BLOB NOT NULL,
    state INTEGER NOT NULL,
    target_id BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE conversations (
    conversation BLOB PRIMARY KEY,
    members BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE packets (
    packet_id BLOB PRIMARY KEY,
    sender_id BLOB NOT NULL,
    kind INTEGER NOT NULL,
    is_lucky INTEGER NOT NULL,
    total_fen INTEGER NOT NULL CHECK (total_fen > 0),
    count INTEGER NOT NULL CHECK (count > 0),
    share_fen_min INTEGER NOT NULL,
    share_fen_max INTEGER NOT NULL,
    spread INTEGER NOT NULL,
    lifetime_us INTEGER NOT NULL,
    draw_at_us INTEGER NOT NULL,
    awaits_entropy INTEGER NOT NULL,
    conversation_id TEXT NOT NULL,
    recipients BLOB NOT NULL,
    passphrase_mac BLOB NOT NULL,
    greeting_mac BLOB NOT NULL,
    cover TEXT NOT NULL,
    commitment BLOB NOT NULL,
    seed_sealed BLOB NOT NULL,
    beacon_chain BLOB NOT NULL,
    beacon_round INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX packets_by_sender ON packets (sender_id, packet_id);
CREATE INDEX packets_by_conversation ON packets (conversation_id, packet_id)
    WHERE conversation_id <> '';

CREATE TABLE progress (
    packet_id BLOB PRIMARY KEY,
    await_until_us INTEGER NOT NULL,
    beacon BLOB NOT NULL,
    beacon_signature BLOB NOT NULL,
    chain BLOB NOT NULL,
    claimed_count INTEGER NOT NULL,
    claimed_fen INTEGER NOT NULL,
    closed_at_us INTEGER NOT NULL,
    due_at_us INTEGER NOT NULL,
    entropy BLOB NOT NULL,
    entropy_at_us INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL,
    returned_fen INTEGER NOT NULL,
    state INTEGER NOT NULL,
    ticket_count INTEGER NOT NULL,
    wants_round INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX progress_by_round ON progress (wants_round) WHERE wants_round > 0;
CREATE INDEX progress_by_due ON progress (due_at_us) WHERE due_at_us > 0;

-- The key is the one-claim rule; the index by ticket (a claim's place in its packet) is the
-- one-share rule.
CREATE TABLE claims (
    packet_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    amount_fen INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    chain BLOB NOT NULL,
    pseudonym BLOB NOT NULL,
    seq INTEGER NOT NULL,
    share INTEGER NOT NULL,
    ticket INTEGER NOT NULL,
    PRIMARY KEY (packet_id, user_id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX claims_by_ticket ON claims (packet_id, ticket);
CREATE INDEX claims_by_user ON claims (user_id, packet_id);

CREATE TABLE tries (
    packet_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (packet_id, user_id)
) WITHOUT ROWID;

CREATE TABLE cases (
    case_id BLOB PRIMARY KEY,
    action INTEGER NOT NULL,
    amount_fen INTEGER NOT NULL,
    decided_by TEXT NOT NULL,
    due_at_us INTEGER NOT NULL,
    object_id BLOB NOT NULL,
    opened_at_us INTEGER NOT NULL,
    owner TEXT NOT NULL,
    rule TEXT NOT NULL,
    state INTEGER NOT NULL,
    user_id BLOB NOT NULL,
    verdict INTEGER NOT NULL
) WITHOUT ROWID;
-- States 1, 2, 3 are the open ones: challenged, delayed, held.
CREATE INDEX cases_by_due ON cases (due_at_us) WHERE state IN (1, 2, 3);
CREATE INDEX cases_by_object ON cases (object_id);

CREATE TABLE relay_heads (
    source BLOB NOT NULL,
    target BLOB NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (source, target)
) WITHOUT ROWID;

CREATE TABLE relay_marks (
    target BLOB NOT NULL,
    source BLOB NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (target, source)
) WITHOUT ROWID;

CREATE TABLE relays (
    source BLOB NOT NULL,
    target BLOB NOT NULL,
    number INTEGER NOT NULL,
    account BLOB NOT NULL,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    seq INTEGER NOT NULL,
    PRIMARY KEY (source, target, number)
) WITHOUT ROWID;
CREATE INDEX relays_by_account ON relays (account);

-- Personal data, encrypted field by field; the journal holds only its keyed digest.
CREATE TABLE personal (
    owner_id BLOB NOT NULL,
    field INTEGER NOT NULL,
    cipher BLOB NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (owner_id, field)
) WITHOUT ROWID;
