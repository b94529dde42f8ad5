"""Every bound of the system, with its unit, and what must hold between bounds (界限)."""

from typing import Final

# Money. 2^53 - 1 is the largest integer that every JSON reader carries exactly.
AMOUNT_FEN_MAX: Final = 2**53 - 1
BALANCE_FEN_MAX: Final = 2**62

# Packets.
SHARES_MAX: Final = 5_000
TICKETS_MAX: Final = 5_000
RECIPIENTS_MAX: Final = 500
LIFETIME_S_DEFAULT: Final = 24 * 3_600
LIFETIME_S_MIN: Final = 1
LIFETIME_S_MAX: Final = 7 * 24 * 3_600
ENTROPY_WAIT_S: Final = 60
BEACON_WAIT_S: Final = 120
PASSPHRASE_TRIES_MAX: Final = 5
GREETING_LENGTH_MAX: Final = 64
NICKNAME_LENGTH_MAX: Final = 32
EXTERNAL_ID_LENGTH_MAX: Final = 128
CONVERSATION_LENGTH_MAX: Final = 64
PASSPHRASE_LENGTH_MAX: Final = 64
NOTE_LENGTH_MAX: Final = 64
COVER_LENGTH_MAX: Final = 32
MEMBERS_MAX: Final = 5_000

# Pictures for covers. What comes in, in bytes and pixels; what is kept of it is always of one size.
COVER_BYTES_MAX: Final = 4 * 1_024 * 1_024
COVER_SIDE_MIN: Final = 64
COVER_SIDE_MAX: Final = 8_192
COVER_PIXELS_MAX: Final = 16_000_000
COVER_WIDTH: Final = 600
COVER_HEIGHT: Final = 800
COVERS_PER_USER_MAX: Final = 12
COVER_TRIES_A_DAY_MAX: Final = 20

# Top-up.
ORDER_FEN_MAX: Final = 100_000_000
ORDER_COINS_MAX: Final = 10**12
ORDER_LIFE_S_DEFAULT: Final = 15 * 60
ORDER_LIFE_S_MIN: Final = 60
ORDER_LIFE_S_MAX: Final = 2 * 3_600
# How long a packet waits for the order that is to pay for it to be opened at all.
FUNDING_WAIT_S: Final = 10 * 60
ATTEMPTS_MAX: Final = 20
CLOSE_AGE_S_MIN: Final = 5 * 60
# A day's bill is there at ten of the next: 34 hours after its first moment, and two to read it.
BILLED_AFTER_S: Final = 36 * 3_600
LATE_GRACE_S_DEFAULT: Final = 24 * 3_600
NOTICE_BYTES_MAX: Final = 64 * 1_024
PLAN_LENGTH_MAX: Final = 64
SCENE_LENGTH_MAX: Final = 32
REASON_LENGTH_MAX: Final = 80
GIFTS_AT_ONCE_MAX: Final = 9_999
REFUNDS_PER_ATTEMPT_MAX: Final = 50
# The platform wants a minute between two refunds of one payment, by when they reach it: a quarter
# of one more is for the way there, which the second may make faster than the first.
REFUND_GAP_S: Final = 75
REFUND_DAYS_MAX: Final = 365
# How long a refund that the channel closed waits for new funds before its next number is sent.
REFUND_AGAIN_S: Final = 3_600
# Calls without an answer after which a refund that is sent another way goes back to a person.
REDIRECT_TRIES_MAX: Final = 6
BANK_TYPE_LENGTH_MAX: Final = 32
CARD_DIGITS_MAX: Final = 32
# How long a person may take to confirm a payout at the channel.
PAYOUT_CONFIRM_S: Final = 24 * 3_600
GIFT_CODE_LENGTH_MAX: Final = 32
# The reviewed sum of one person's top-ups in one business day (AML-1): up to this it passes.
REVIEW_DAY_FEN: Final = 5_000_000
TOP_UP_REVIEW_DEADLINE_S: Final = 24 * 3_600

# Behaviour.
STEPS_AT_ONCE_MAX: Final = 50
STEP_ID_LENGTH_MAX: Final = 64
FUNNEL_DAYS_MAX: Final = 92
# More steps than this are not put into one report; it would be minutes of work.
FUNNEL_ROWS_MAX: Final = 2_000_000

# The lane.
BATCH_COMMANDS_MAX: Final = 4_096
# Before a server that cannot keep up a batch shrinks to no fewer, and gathers no longer. Unit: ms.
BATCH_COMMANDS_MIN: Final = 8
LINGER_MS_MAX: Final = 50
QUEUE_COMMANDS_MAX: Final = 32_768
QUEUE_AGE_S_MAX: Final = 10
COMMIT_TRIES_MAX: Final = 5
RELAY_ITEMS_MAX: Final = 500
CACHE_ROWS_MAX: Final = 200_000
# How long rows of what has a story that ends stay in memory, such as those of packets and orders:
# kept until there are too many, they would fill it for days.
STORY_S: Final = 60
# Where a packet was posted is asked for while it is open; reading it again is one look at a key.
CONVERSATIONS_KEPT_MAX: Final = 4_096
# What the writer keeps of its file in memory; a page that is asked for again costs no reading.
PAGE_CACHE_MIB_DEFAULT: Final = 256
PAGE_CACHE_MIB_MIN: Final = 8
WAL_PAGES_MAX: Final = 50_000

# A database server. An answer that takes longer is no answer; a pause comes before trying again.
DATABASE_CONNECT_S_MAX: Final = 5
DATABASE_ANSWER_S_MAX: Final = 10
# Whoever judges a ledger asks about whole tables.
DATABASE_JUDGE_S_MAX: Final = 3_600
DATABASE_PAUSE_MS_MIN: Final = 2
DATABASE_PAUSE_MS_MAX: Final = 250

# A bus. A message that is not on its line by then goes out anew.
BUS_ANSWER_S_MAX: Final = 10
BUS_MESSAGES_MAX: Final = 512
BUS_MESSAGE_BYTES_MAX: Final = 4 * 1_048_576

# Many processes. A member lives so long after it last said so, and says so so often; whoever asks
# waits for a lane's next owner as long as that may take. A frame is a command or an answer.
LEASE_S_DEFAULT: Final = 9
BEAT_S_DEFAULT: Final = 3
TAKEOVER_S_MAX: Final = 3
ASKS_UNDER_WAY_MAX: Final = 32_768
FRAME_BYTES_MAX: Final = 32 * 1_024 * 1_024

# The gate.
REVIEW_DEADLINE_S: Final = 72 * 3_600
CHALLENGE_DEADLINE_S: Final = 600

# Who.
LINK_LIFE_S: Final = 120
ACCESS_LIFE_S: Final = 600
REFRESH_LIFE_S: Final = 30 * 24 * 3_600
# How long what a refresh has replaced is still taken: requests and answers cross on their way.
REFRESH_GRACE_S: Final = 30
SESSIONS_PER_USER_MAX: Final = 20
DEVICE_NAME_LENGTH_MAX: Final = 64
WALLET_PATH_LENGTH_MAX: Final = 128
PROOFS_MAX: Final = 200_000

# The door.
BODY_BYTES_MAX: Final = 64 * 1_024
PAGE_ROWS_DEFAULT: Final = 50
PAGE_ROWS_MAX: Final = 200
KEY_LENGTH_MAX: Final = 128

assert ORDER_FEN_MAX <= AMOUNT_FEN_MAX, "an order is an amount"
assert ORDER_LIFE_S_MIN <= ORDER_LIFE_S_DEFAULT <= ORDER_LIFE_S_MAX, "the default is allowed"
assert AMOUNT_FEN_MAX * 2 < BALANCE_FEN_MAX, "two amounts must always fit a balance"
assert DATABASE_PAUSE_MS_MIN < DATABASE_PAUSE_MS_MAX < 1_000 * DATABASE_ANSWER_S_MAX, "short pauses"
assert 2 * BEAT_S_DEFAULT < LEASE_S_DEFAULT, "one renewal may fail"
assert BATCH_COMMANDS_MAX <= QUEUE_COMMANDS_MAX, "a full batch must fit the queue"
assert REFRESH_GRACE_S < ACCESS_LIFE_S < REFRESH_LIFE_S, "a token lives shorter than its session"
assert RECIPIENTS_MAX <= SHARES_MAX, "each recipient may have a share"
assert LIFETIME_S_MIN <= LIFETIME_S_DEFAULT <= LIFETIME_S_MAX, "the default is allowed"
