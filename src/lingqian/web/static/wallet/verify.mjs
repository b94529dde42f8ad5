// Verifier of Lingqian red-packet proofs, written from docs/reference/proof.md alone.
//
// No dependency, no network; runs in a browser and in Node 18 or newer. Nothing in a record is
// believed: all that can be computed again is. All numbers are BigInt; amounts are in fen, times
// in µs. `verify(text)` is the door; the rest is exported for the test vectors.

// --- bytes --------------------------------------------------------------------------------------

const encoder = new TextEncoder();

export function fromHex(text) {
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = parseInt(text.substr(2 * i, 2), 16);
  return bytes;
}

export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function join(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

// A number as so many bytes, the highest first.
function big(value, size) {
  const bytes = new Uint8Array(size);
  let rest = BigInt(value);
  for (let i = size - 1; i >= 0; i -= 1) {
    bytes[i] = Number(rest & 255n);
    rest >>= 8n;
  }
  return bytes;
}

function tagged(name) {
  const tag = encoder.encode(`lingqian/${name}`);
  return join(big(tag.length, 1), tag);
}

const NOTHING = new Uint8Array(32);
const flagged32 = (value) => (value === null ? join(big(0, 1), NOTHING) : join(big(1, 1), value));
const flagged = (value) => (value === null ? big(0, 1) : join(big(1, 1), value));
const sized = (value) => join(big(value.length, 2), value);
const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

// --- SHA-256 and HMAC (FIPS 180-4, RFC 2104) ----------------------------------------------------

const [START, ROUND] = constants();

// The first bits of the square and cube roots of primes, computed rather than copied.
function constants() {
  const primes = [];
  for (let n = 2n; primes.length < 64; n += 1n) {
    if (primes.every((prime) => n % prime !== 0n)) primes.push(n);
  }
  const bits = (prime, degree) => {
    const wanted = prime << (32n * degree);
    let root = 0n;
    for (let bit = 1n << 40n; bit > 0n; bit >>= 1n) {
      if ((root + bit) ** degree <= wanted) root += bit;
    }
    return Number(root & 0xffffffffn);
  };
  return [
    Uint32Array.from(primes.slice(0, 8), (prime) => bits(prime, 2n)),
    Uint32Array.from(primes, (prime) => bits(prime, 3n)),
  ];
}

const schedule = new Uint32Array(64);
const turn = (x, n) => (x >>> n) | (x << (32 - n));

function compress(state, view, at) {
  for (let i = 0; i < 16; i += 1) schedule[i] = view.getUint32(at + 4 * i);
  for (let i = 16; i < 64; i += 1) {
    const x = schedule[i - 15];
    const y = schedule[i - 2];
    schedule[i] =
      schedule[i - 16] + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) +
      schedule[i - 7] + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10));
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i += 1) {
    const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) +
      ROUND[i] + schedule[i]) | 0;
    const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + one) | 0;
    d = c; c = b; b = a; a = (one + two) | 0;
  }
  const added = [a, b, c, d, e, f, g, h];
  for (let i = 0; i < 8; i += 1) state[i] += added[i];
}

export function sha256(bytes) {
  const size = bytes.length;
  const padded = new Uint8Array((Math.floor((size + 8) / 64) + 1) * 64);
  padded.set(bytes);
  padded[size] = 0x80;
  padded.set(big(BigInt(size) * 8n, 8), padded.length - 8);
  const view = new DataView(padded.buffer);
  const state = Uint32Array.from(START);
  for (let at = 0; at < padded.length; at += 64) compress(state, view, at);
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => digest.setUint32(4 * i, word));
  return new Uint8Array(digest.buffer);
}

export function hmac(key, message) {
  const block = new Uint8Array(64);
  block.set(key.length > 64 ? sha256(key) : key);
  const inner = sha256(join(block.map((byte) => byte ^ 0x36), message));
  return sha256(join(block.map((byte) => byte ^ 0x5c), inner));
}

// --- the stream ---------------------------------------------------------------------------------

export class Stream {
  constructor(key, label) {
    this.key = key;
    this.label = join(big(label.length, 1), encoder.encode(label));
    this.block = 0n;
    this.words = [];
  }

  word() {
    if (this.words.length === 0) {
      const view = new DataView(hmac(this.key, join(this.label, big(this.block, 8))).buffer);
      this.words = [24, 16, 8, 0].map((at) => view.getBigUint64(at));
      this.block += 1n;
    }
    return this.words.pop();
  }

  // A uniform integer in 0 … bound − 1.
  below(bound) {
    const bits = (bound - 1n).toString(2).length;
    const count = Math.max(1, Math.ceil(bits / 64));
    const range = 1n << BigInt(64 * count);
    const limit = range - (range % bound);
    for (;;) {
      let value = 0n;
      for (let i = 0; i < count; i += 1) value = (value << 64n) | this.word();
      if (value < limit) return value % bound;
    }
  }

  // A uniform set of so many places among 0 … places − 1.
  distinct(size, places) {
    const chosen = new Set();
    for (let top = places - size; top < places; top += 1n) {
      const place = this.below(top + 1n);
      chosen.add(chosen.has(place) ? top : place);
    }
    return chosen;
  }
}

// --- the split ----------------------------------------------------------------------------------

const LADDER = [2n, 3n, 4n, 6n, 8n, 12n, 16n, 24n];
const ceil = (a, b) => (a + b - 1n) / b;

function falling(n, k) {
  let product = 1n;
  for (let i = 0n; i < k; i += 1n) product *= n - i;
  return product;
}

function accepts(surplus, count, cap, spread) {
  const bars = count * spread - 1n;
  const places = surplus + bars;
  const window = cap + spread;
  const few = spread - 1n;
  const choose = falling(bars, few) / falling(few, few);
  let term = ceil((choose * falling(window, few)) << 192n, falling(places, few));
  for (let i = 0n; i < bars - few; i += 1n) {
    term = ceil(term * (places - window - i), places - few - i);
  }
  let tail = term;
  for (let k = few; k > 0n; k -= 1n) {
    const beyond = places - window - bars + k;
    if (beyond <= 0n) break;
    term = ceil(term * k * beyond, (window - k + 1n) * (bars - k + 1n));
    tail += term;
  }
  return 20n * count * tail <= 19n << 192n;
}

function rung(surplus, count, cap, spread) {
  if (surplus <= cap) return spread;
  const rungs = [spread, ...LADDER.filter((step) => step > spread)];
  return rungs.find((step) => accepts(surplus, count, cap, step)) ?? 0n;
}

export function spreadUsed(terms) {
  const cap = terms.share_fen_max - terms.share_fen_min;
  const surplus = terms.total_fen - terms.count * terms.share_fen_min;
  const other = terms.count * cap - surplus;
  return rung(surplus < other ? surplus : other, terms.count, cap, terms.spread);
}

export function lucky(terms, key) {
  const { count, share_fen_min: low, share_fen_max: high } = terms;
  const cap = high - low;
  let surplus = terms.total_fen - count * low;
  const turned = 2n * surplus > count * cap;
  if (turned) surplus = count * cap - surplus;
  const parts = partsOf(surplus, terms, cap, new Stream(key, "lingqian/split"));
  return parts.map((part) => (turned ? high - part : low + part));
}

function partsOf(surplus, { count, spread }, cap, stream) {
  if (surplus === 0n) return Array(Number(count)).fill(0n);
  const step = rung(surplus, count, cap, spread);
  if (step === 0n) return slots(surplus, count, cap, stream);
  for (;;) {
    const parts = grouped(surplus, count, step, stream);
    if (parts.every((part) => part <= cap)) return parts;
  }
}

function grouped(surplus, count, spread, stream) {
  const bars = count * spread - 1n;
  const places = surplus + bars;
  const marks = BigUint64Array.from(stream.distinct(bars, places)).sort();
  const parts = [];
  let start = -1n;
  for (let i = 1; i <= Number(count); i += 1) {
    const end = i === Number(count) ? places : marks[i * Number(spread) - 1];
    parts.push(end - start - spread);
    start = end;
  }
  return parts;
}

function slots(surplus, count, cap, stream) {
  const parts = Array(Number(count)).fill(0n);
  for (const slot of stream.distinct(surplus, count * cap)) parts[Number(slot / cap)] += 1n;
  return parts;
}

function equal(total, count) {
  const more = total % count;
  return Array.from({ length: Number(count) }, (_, i) => total / count + (i < more ? 1n : 0n));
}

export const sharesOf = (terms, key) =>
  terms.lucky ? lucky(terms, key) : equal(terms.total_fen, terms.count);

// --- commitment, chain and draw -----------------------------------------------------------------

function termsBytes(terms) {
  return join(
    big(terms.version, 2), terms.packet_id, big(terms.lucky ? 1 : 2, 1), big(terms.draw ? 1 : 0, 1),
    big(terms.count, 4), big(terms.total_fen, 8), big(terms.share_fen_min, 8),
    big(terms.share_fen_max, 8), big(terms.spread, 2), terms.beacon_chain ?? NOTHING,
    big(terms.beacon_round, 8),
  );
}

export const commitmentOf = (termsAsBytes, seed) =>
  sha256(join(tagged("commitment"), termsAsBytes, seed));

export const splitKey = (termsAsBytes, seed, entropy, beacon) =>
  hmac(seed, join(tagged("split-key"), commitmentOf(termsAsBytes, seed), flagged32(entropy),
    flagged32(beacon)));

export const chainStart = (commitment) => sha256(join(tagged("chain-start"), commitment));

const claimBytes = (claim) =>
  join(big(claim.sequence, 4), claim.pseudonym, big(claim.index, 4), big(claim.amount_fen, 8),
    big(claim.at_us, 8));

export const chainNext = (head, claim) => sha256(join(tagged("claim"), head, claimBytes(claim)));

export const drawKey = (key, head) => hmac(key, join(tagged("draw-key"), head));

export function drawOrder(key, tickets, places) {
  const order = Array.from({ length: tickets }, (_, i) => i);
  const stream = new Stream(key, "lingqian/draw");
  const drawn = Math.min(tickets, places);
  for (let place = 0; place < drawn; place += 1) {
    const other = place + Number(stream.below(BigInt(tickets - place)));
    [order[place], order[other]] = [order[other], order[place]];
  }
  return order.slice(0, drawn);
}

// --- reading ------------------------------------------------------------------------------------

export class Malformed extends Error {}
class Unreadable extends Malformed {}

const DEPTH_MAX = 64;

// JSON with integers only, every integer a BigInt, and no name twice in one object.
export function parse(text) {
  let at = 0;
  const fail = (why) => {
    throw new Unreadable(`${why} at character ${at}`);
  };
  const match = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) return null;
    at = pattern.lastIndex;
    return found[0];
  };
  const space = () => match(/[ \t\n\r]*/y);
  const next = (mark) => {
    space();
    if (text[at] !== mark) return false;
    at += 1;
    return true;
  };
  const string = () => {
    const found = match(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y);
    return found === null ? fail("no string") : JSON.parse(found);
  };
  const rows = (close, row) => {
    if (next(close)) return;
    do row(); while (next(","));
    if (!next(close)) fail(`no ${close}`);
  };
  const object = (depth) => {
    const fields = new Map();
    rows("}", () => {
      space();
      const name = string();
      if (fields.has(name)) fail(`${name} stands twice`);
      if (!next(":")) fail("no colon");
      fields.set(name, value(depth));
    });
    return fields;
  };
  const list = (depth) => {
    const values = [];
    rows("]", () => values.push(value(depth)));
    return values;
  };
  const value = (depth) => {
    if (depth > DEPTH_MAX) fail("too deep");
    if (next("{")) return object(depth + 1);
    if (next("[")) return list(depth + 1);
    if (text[at] === '"') return string();
    const word = match(/true|false|null/y);
    if (word !== null) return { true: true, false: false, null: null }[word];
    const number = match(/-?(?:0|[1-9][0-9]*)(?![0-9.eE])/y);
    return number === null ? fail("neither a value nor an integer") : BigInt(number);
  };
  const whole = value(0);
  space();
  return at === text.length ? whole : fail("more than one value");
}

const I64 = 2n ** 63n - 1n;
const U32 = 2n ** 32n - 1n;
const COUNT_MAX = 5000n;
const SPREAD_MAX = 64n;

const integer = (most) => (value, name) => {
  if (typeof value !== "bigint" || value < 0n || value > most) {
    throw new Malformed(`${name}: not an integer from 0 to ${most}`);
  }
  return value;
};
const hex = (least, most = least) => (value, name) => {
  const fits = typeof value === "string" && /^(?:[0-9a-f]{2})*$/.test(value) &&
    value.length >= 2 * least && value.length <= 2 * most;
  if (!fits) throw new Malformed(`${name}: not ${most} bytes of lower-case hex`);
  return fromHex(value);
};
const words = (value, name) => {
  const plain = typeof value === "string" && !/[\u0000-\u001f\u007f]/.test(value) &&
    !/[\ud800-\udfff]/u.test(value);
  const size = plain ? encoder.encode(value).length : 0;
  if (size < 1 || size > 1024) throw new Malformed(`${name}: not plain text of 1 to 1024 bytes`);
  return value;
};
const choice = (...values) => (value, name) => {
  if (!values.includes(value)) throw new Malformed(`${name}: not known`);
  return value;
};
const maybe = (reader) => (value, name) => (value === null ? null : reader(value, name));
const listOf = (reader, most) => (value, name) => {
  if (!Array.isArray(value) || value.length > most) {
    throw new Malformed(`${name}: not a list of at most ${most}`);
  }
  return value.map((row) => reader(row, name));
};
const fields = (readers, optional = {}) => (value, name) => {
  if (!(value instanceof Map)) throw new Malformed(`${name}: not an object`);
  const read = {};
  for (const [field, reader] of Object.entries(readers)) {
    if (!value.has(field)) throw new Malformed(`${field}: missing`);
    read[field] = reader(value.get(field), field);
  }
  for (const [field, given] of value) {
    if (Object.hasOwn(optional, field)) read[field] = optional[field](given, field);
    else if (!Object.hasOwn(readers, field)) throw new Malformed(`${field}: not a field here`);
  }
  return read;
};

const readFields = fields(
  {
    format: choice("lingqian.proof"),
    version: integer(65535n),
    packet_id: hex(16),
    kind: choice("lucky", "equal"),
    draw: choice(true, false),
    count: integer(COUNT_MAX),
    total_fen: integer(I64),
    share_fen_min: integer(I64),
    share_fen_max: integer(I64),
    spread: integer(SPREAD_MAX),
    beacon_chain: maybe(hex(32)),
    beacon_round: integer(I64),
    commitment: hex(32),
    created_at_us: integer(I64),
    closed_at_us: integer(I64),
    entropy: maybe(hex(32)),
    entropy_at_us: integer(I64),
    beacon: maybe(fields({ signature: hex(1, 256), randomness: hex(32) })),
    seed: hex(32),
    spread_used: integer(SPREAD_MAX),
    shares: listOf(integer(I64), Number(COUNT_MAX)),
    claims: listOf(fields({
      sequence: integer(U32), pseudonym: hex(16), index: integer(COUNT_MAX),
      amount_fen: integer(I64), at_us: integer(I64), head: hex(32),
    }), 1000000),
    results: listOf(fields({
      sequence: integer(U32), index: integer(COUNT_MAX), amount_fen: integer(I64),
    }), Number(COUNT_MAX)),
    refund_fen: integer(I64),
    best: maybe(fields({ sequence: integer(U32), amount_fen: integer(I64) })),
    level: integer(4n),
    limits: listOf(fields({ code: words, zh: words, en: words }), 16),
    journal: maybe(fields({ lane: integer(65535n), sequence: integer(I64), head: hex(32) })),
  },
  {
    signature: maybe(fields({ algorithm: choice("Ed25519"), public_key: hex(32), value: hex(64) })),
  },
);

export function read(value) {
  const proof = readFields(value, "document");
  proof.lucky = proof.kind === "lucky";
  const { count, total_fen: total, share_fen_min: low, share_fen_max: high } = proof;
  if (proof.version !== 1n) throw new Malformed(`version: ${proof.version} is not known here`);
  if (proof.spread === 0n || (proof.beacon_chain === null) !== (proof.beacon_round === 0n)) {
    throw new Malformed("spread is 0, or beacon_chain stands without beacon_round");
  }
  if (count < 1n || low > high || total < count * low || total > count * high) {
    throw new Malformed("total_fen: no split lies within these bounds");
  }
  return proof;
}

// --- levels -------------------------------------------------------------------------------------

const LIMIT = {
  seed_choice: {
    zh: "不能防止平台在公布承诺之前反复挑选种子，直到得到它想要的金额列表。",
    en: "The operator may have tried many seeds before it showed the commitment.",
  },
  sender_collusion: {
    zh: "不能防止平台与发送人串通，一起挑选种子和随机数。",
    en: "The operator and the sender together may have tried many seeds.",
  },
  early_view: {
    zh: "不能防止能读取密封种子的内部人员提前知道下一份的金额，再选择领取时机。",
    en: "An insider who can read the sealed seed knows the next amount and may time a claim.",
  },
  last_ticket: {
    zh: "不能防止平台在截止前增加或丢弃最后一张券来改变抽奖结果。",
    en: "The operator may add or drop a last ticket before the close to steer the draw.",
  },
  admission: {
    zh: "不能防止平台拒收或拖延某个人的请求；请保存领取回执，与证明中的链核对。",
    en: "The operator may refuse or delay a request; compare the receipt of your claim with the " +
      "chain.",
  },
  strangers: {
    zh: "不能证明化名背后是谁：平台自己的账号也可能参与。",
    en: "Pseudonyms do not show who claimed: accounts of the operator may be among them.",
  },
};

const LIMITS = {
  1: ["seed_choice", "early_view", "admission", "strangers"],
  2: ["sender_collusion", "early_view", "admission", "strangers"],
  3: ["early_view", "admission", "strangers"],
  4: ["admission", "strangers"],
  "1-draw": ["seed_choice", "last_ticket", "admission", "strangers"],
  "2-draw": ["sender_collusion", "last_ticket", "admission", "strangers"],
};

// The level a record reaches, as shown: 1 to 4, or 1-draw and 2-draw.
export function levelOf(proof) {
  if (proof.beacon !== null) return proof.draw ? "4" : "3";
  return `${proof.entropy === null ? 1 : 2}${proof.draw ? "-draw" : ""}`;
}

export const limitsOf = (level) => LIMITS[level].map((code) => ({ code, ...LIMIT[code] }));

// --- the checks ---------------------------------------------------------------------------------

// The public chains whose rounds have a known time: genesis and period in seconds.
const CHAINS = {
  "8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce": [1595431050n, 30n],
  "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971": [1692803367n, 3n],
};

const held = (zh, en) => ({ ok: true, zh, en });
const broken = (zh, en) => ({ ok: false, zh, en });
const sum = (rows) => rows.reduce((total, row) => total + row, 0n);
const won = (proof) => (proof.draw ? proof.results : proof.claims);

// What several checks need, computed once.
function derive(proof) {
  const asBytes = termsBytes(proof);
  const key = splitKey(asBytes, proof.seed, proof.entropy, proof.beacon?.randomness ?? null);
  return {
    commitment: commitmentOf(asBytes, proof.seed),
    key,
    shares: sharesOf(proof, key),
    spread: proof.lucky ? spreadUsed(proof) : proof.spread,
  };
}

const CHECKS = {
  commitment: (proof, derived) =>
    same(proof.commitment, derived.commitment)
      ? held("条款和种子与承诺一致", "terms and seed hash to the commitment")
      : broken("条款和种子与承诺不符", "terms and seed do not hash to the commitment"),

  entropy(proof) {
    const first = proof.claims[0]?.at_us ?? proof.closed_at_us;
    if (proof.entropy === null) {
      return proof.entropy_at_us === 0n
        ? held("发送人没有加入随机数", "the sender added no bytes")
        : broken("有随机数的时间，却没有随机数", "there is a time for the sender's bytes, but no bytes");
    }
    return proof.created_at_us <= proof.entropy_at_us && proof.entropy_at_us <= first
      ? held("发送人的随机数在承诺之后、首次领取之前加入",
        "the sender's bytes came after the commitment and before the first claim")
      : broken("发送人的随机数不在承诺与首次领取之间",
        "the sender's bytes did not come between commitment and first claim");
  },

  spread: (proof, derived) =>
    proof.spread_used === derived.spread
      ? held("使用的分散度符合规则", "the spread used is the one the rule gives")
      : broken(`分散度应为 ${derived.spread}`, `the rule gives spread ${derived.spread}`),

  shares(proof, derived) {
    const at = derived.shares.findIndex((share, i) => share !== proof.shares[i]);
    if (at >= 0) {
      return broken(`第 ${at + 1} 份应为 ${derived.shares[at]} 分`,
        `share ${at + 1} must be ${derived.shares[at]} fen`);
    }
    return proof.shares.length === derived.shares.length
      ? held("每一份都能由种子重新算出", "every share follows from the seed and what was mixed in")
      : broken("份数不对", "the number of shares is wrong");
  },

  sum: (proof) =>
    sum(proof.shares) === proof.total_fen
      ? held("各份之和等于总额", "the shares add up to the total")
      : broken(`各份之和为 ${sum(proof.shares)} 分`, `the shares add up to ${sum(proof.shares)} fen`),

  bounds(proof) {
    const outside = (share) => share < proof.share_fen_min || share > proof.share_fen_max;
    const at = proof.shares.findIndex(outside);
    return at < 0
      ? held("每一份都在上下限之内", "every share lies within the bounds")
      : broken(`第 ${at + 1} 份超出上下限`, `share ${at + 1} lies outside the bounds`);
  },

  chain(proof) {
    let head = chainStart(proof.commitment);
    for (const claim of proof.claims) {
      head = chainNext(head, claim);
      if (!same(head, claim.head)) {
        return broken(`链在第 ${claim.sequence} 条断开`, `the chain breaks at ${claim.sequence}`);
      }
    }
    return held("领取记录链完整", "the chain of claims is unbroken");
  },

  times(proof) {
    const times = [proof.created_at_us, ...proof.claims.map((claim) => claim.at_us),
      proof.closed_at_us];
    return times.every((time, i) => i === 0 || times[i - 1] <= time)
      ? held("时间没有倒流", "times do not run backwards")
      : broken("时间倒流", "times run backwards");
  },

  order(proof) {
    if (!proof.draw && proof.claims.length > proof.count) {
      return broken("领取数超过份数", "there are more claims than shares");
    }
    const wrong = proof.claims.findIndex((claim, i) =>
      claim.sequence !== BigInt(i + 1) || claim.index !== (proof.draw ? 0n : BigInt(i + 1)));
    return wrong < 0
      ? held("编号连续，第 k 个领取打开第 k 份", "claims are numbered without gaps, each on its share")
      : broken(`第 ${wrong + 1} 条的编号或份数不对`, `claim ${wrong + 1} is out of order`);
  },

  amounts(proof, derived) {
    if (proof.draw) return drawn(proof, derived);
    if (proof.results.length > 0) return broken("非抽奖却有抽奖结果", "results without a draw");
    const wrong = proof.claims.findIndex((claim, i) =>
      i < proof.shares.length && claim.amount_fen !== proof.shares[i]);
    return wrong < 0
      ? held("每人得到的正是自己那一份", "everybody has the amount of the share")
      : broken(`第 ${wrong + 1} 个领取的金额不是那一份`, `claim ${wrong + 1} is not its share`);
  },

  once: (proof) =>
    new Set(proof.claims.map((claim) => toHex(claim.pseudonym))).size === proof.claims.length
      ? held("没有人出现两次", "nobody stands twice")
      : broken("有人出现两次", "somebody stands twice"),

  money(proof) {
    const paid = sum(won(proof).map((row) => row.amount_fen));
    return paid + proof.refund_fen === proof.total_fen
      ? held("已领取加退回等于总额", "what was claimed and what was returned are the total")
      : broken(`已领取 ${paid} 分加退回 ${proof.refund_fen} 分不等于总额`,
        `${paid} fen claimed and ${proof.refund_fen} fen returned are not the total`);
  },

  best(proof) {
    let best = null;
    for (const row of proof.lucky ? won(proof) : []) {
      const less = best !== null && row.amount_fen < best.amount_fen;
      const later = best !== null && row.amount_fen === best.amount_fen &&
        row.sequence >= best.sequence;
      if (!less && !later) best = row;
    }
    const right = best?.sequence === proof.best?.sequence &&
      best?.amount_fen === proof.best?.amount_fen;
    return right
      ? held("手气最佳是最大的一份，相同则较早者", "best luck is the largest share, the earliest of equals")
      : broken("手气最佳不对", "best luck is somebody else");
  },

  level(proof) {
    const level = levelOf(proof);
    const limits = limitsOf(level);
    const said = proof.limits.length === limits.length && limits.every((limit, i) =>
      ["code", "zh", "en"].every((word) => limit[word] === proof.limits[i][word]));
    return proof.level === BigInt(level[0]) && said
      ? held(`达到等级 ${level}，并说明了它不能防止什么`,
        `level ${level} is reached, and what it does not stop is said`)
      : broken(`等级或其说明与记录不符，应为 ${level}`, `the record shows level ${level}`);
  },

  beacon(proof) {
    if (proof.beacon === null) {
      return proof.beacon_round === 0n
        ? held("没有承诺公共信标", "no beacon was promised")
        : held("承诺的信标没有出现，等级因此公开降低",
          "the promised round never came: the level is lower and says so");
    }
    if (proof.beacon_round === 0n) {
      return broken("承诺中没有这个信标", "the commitment did not promise a beacon");
    }
    if (!same(sha256(proof.beacon.signature), proof.beacon.randomness)) {
      return broken("信标的随机数不是其签名的 SHA-256",
        "the randomness is not the SHA-256 of the beacon's signature");
    }
    return beaconTime(proof) ?? held(
      "随机数 = SHA-256(签名)；信标自身的签名未离线核对，请与公共链对照",
      "randomness = SHA-256(signature); the beacon's own signature is not checked offline: " +
        "compare the round with the public chain",
    );
  },
};

function drawn(proof, derived) {
  if (proof.claims.some((ticket) => ticket.amount_fen !== 0n)) {
    return broken("券在开奖前就有金额", "a ticket carries an amount before the draw");
  }
  const head = proof.claims.at(-1)?.head ?? chainStart(proof.commitment);
  const order = drawOrder(drawKey(derived.key, head), proof.claims.length, Number(proof.count));
  const right = proof.results.length === order.length && order.every((ticket, place) => {
    const result = proof.results[place];
    return result.sequence === proof.claims[ticket].sequence &&
      result.index === BigInt(place + 1) && result.amount_fen === proof.shares[place];
  });
  return right
    ? held("开奖结果由已关闭的券链得出", "the results follow from the closed chain of tickets")
    : broken("开奖结果与已关闭的券链不符", "the results do not follow from the chain of tickets");
}

// What is wrong with the time of the beacon's round, or null.
function beaconTime(proof) {
  const known = CHAINS[toHex(proof.beacon_chain)];
  if (known === undefined) {
    return held("未知的信标链：请自行核对轮次与时间",
      "of a chain not known here: compare the round and its time with the chain");
  }
  const appears = (known[0] + (proof.beacon_round - 1n) * known[1]) * 1000000n;
  if (appears <= proof.created_at_us) {
    return broken("该轮信标在承诺之前就已公开", "the round was public before the commitment");
  }
  if (proof.draw && appears <= (proof.claims.at(-1)?.at_us ?? proof.created_at_us)) {
    return broken("该轮信标在最后一张券之前就已公开", "the round was public before the last ticket");
  }
  if (!proof.draw && proof.claims.length > 0 && proof.claims[0].at_us < appears) {
    return broken("有领取早于所依赖的信标", "a claim is earlier than the round it depends on");
  }
  return null;
}

// --- the signature ------------------------------------------------------------------------------

export function signingBytes(proof) {
  const { beacon, best, journal } = proof;
  return join(
    tagged("proof"), termsBytes(proof), proof.commitment,
    big(proof.created_at_us, 8), big(proof.closed_at_us, 8),
    flagged(proof.entropy), big(proof.entropy_at_us, 8),
    flagged(beacon === null ? null : join(sized(beacon.signature), beacon.randomness)),
    proof.seed, big(proof.spread_used, 2),
    big(proof.shares.length, 4), ...proof.shares.map((share) => big(share, 8)),
    big(proof.claims.length, 4),
    ...proof.claims.map((claim) => join(claimBytes(claim), claim.head)),
    big(proof.results.length, 4),
    ...proof.results.map((row) =>
      join(big(row.sequence, 4), big(row.index, 4), big(row.amount_fen, 8))),
    big(proof.refund_fen, 8),
    flagged(best === null ? null : join(big(best.sequence, 4), big(best.amount_fen, 8))),
    big(proof.level, 1), big(proof.limits.length, 1),
    ...proof.limits.flatMap((limit) =>
      [limit.code, limit.zh, limit.en].map((word) => sized(encoder.encode(word)))),
    flagged(journal === null
      ? null
      : join(big(journal.lane, 2), big(journal.sequence, 8), journal.head)),
  );
}

// true or false; null where this machine cannot check Ed25519.
async function checkEd25519(key, message, value) {
  const subtle = globalThis.crypto?.subtle;
  if (subtle === undefined) return null;
  let imported;
  try {
    imported = await subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    // Not supported is one thing, a key that is no key another.
    return error.name === "NotSupportedError" || error instanceof TypeError ? null : false;
  }
  return subtle.verify({ name: "Ed25519" }, imported, value, message);
}

async function signatureFinding(proof) {
  const signature = proof.signature ?? null;
  if (signature === null) return broken("记录没有签名", "the record is not signed");
  const valid = await checkEd25519(signature.public_key, signingBytes(proof), signature.value);
  if (valid === null) {
    return { ...held("签名无法在此核对", "the signature is not checked here"), checked: false };
  }
  const key = toHex(signature.public_key);
  return valid
    ? held(`签名有效，公钥 ${key}`, `signed by ${key}`)
    : broken("签名与记录不符", "the signature does not fit the record");
}

// --- the door -----------------------------------------------------------------------------------

const finding = (check, { ok, zh, en, checked = true }) => ({ check, ok, zh, en, checked });

// Check the text of a proof file. `readable` is false when it is no proof document at all.
export async function verify(text) {
  let proof;
  try {
    proof = read(parse(text.replace(/^\ufeff/, "")));
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    const form = broken(`文件格式不对：${error.message}`, error.message);
    return { ok: false, readable: !(error instanceof Unreadable), level: null, limits: [],
      proof: null, findings: [finding("form", form)] };
  }
  const derived = derive(proof);
  const findings = [
    finding("form", held("字段齐全", "every field is there, of its kind")),
    ...Object.entries(CHECKS).map(([name, check]) => finding(name, check(proof, derived))),
    finding("signature", await signatureFinding(proof)),
  ];
  const level = levelOf(proof);
  const ok = findings.every((one) => one.ok);
  return { ok, readable: true, level, limits: limitsOf(level), proof, findings };
}
