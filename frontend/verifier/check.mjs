// Check proof files, or the published vectors: node check.mjs FILE…, node check.mjs --vectors FILE.
// With no file, one record a line on standard input gives one line of findings on standard output.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import {
  chainNext, chainStart, commitmentOf, drawKey, drawOrder, fromHex, hmac, lucky, parse, read,
  sha256, signingBytes, splitKey, spreadUsed, Stream, toHex, verify,
} from "./verify.mjs";

const own = (value) => (value instanceof Map
  ? Object.fromEntries([...value].map(([name, field]) => [name, own(field)]))
  : Array.isArray(value) ? value.map(own) : value);
const shown = (value) =>
  JSON.stringify(value, (_, field) => (typeof field === "bigint" ? field.toString() : field));

// Yield [what, expected, computed] for every vector of the file.
function* vectors(text) {
  const file = parse(text);
  const of = (name) => own(file.get(name));
  for (const { key, label, bounds, values } of of("streams")) {
    const stream = new Stream(fromHex(key), label);
    yield ["stream", values, bounds.map((bound) => stream.below(bound))];
  }
  for (const { key, size, places, marks } of of("marks")) {
    const found = [...new Stream(fromHex(key), "x").distinct(size, places)];
    yield ["marks", marks, found.sort((a, b) => (a < b ? -1 : 1))];
  }
  for (const { row, spread_used: used } of of("rungs")) {
    const [total_fen, count, share_fen_min, share_fen_max, spread] = row;
    yield ["rung", used, spreadUsed({ total_fen, count, share_fen_min, share_fen_max, spread })];
  }
  for (const split of of("splits")) {
    yield ["split", split.shares, lucky(split, fromHex(split.key))];
    yield ["spread", split.spread_used, spreadUsed(split)];
  }
  for (const row of of("commitments")) {
    const [terms, seed] = [fromHex(row.terms), fromHex(row.seed)];
    const [entropy, beacon] = [row.entropy, row.beacon].map((value) => value && fromHex(value));
    yield ["commitment", row.commitment, toHex(commitmentOf(terms, seed))];
    yield ["split key", row.split_key, toHex(splitKey(terms, seed, entropy, beacon))];
  }
  yield* chain(of("chain"));
  for (const row of file.get("records")) {
    const bytes = signingBytes(read(row.get("record")));
    yield ["signing bytes", row.get("signing_bytes_sha256"), toHex(sha256(bytes))];
  }
}

function* chain(row) {
  const start = chainStart(fromHex(row.commitment));
  yield ["chain start", row.start, toHex(start)];
  const tag = new TextEncoder().encode("lingqian/pseudonym");
  const name = hmac(fromHex(row.salt),
    Uint8Array.from([tag.length, ...tag, ...fromHex(row.packet_id), ...fromHex(row.user_id)]));
  yield ["pseudonym", row.pseudonym, toHex(name.slice(0, 16))];
  const head = chainNext(start, { ...row.claim, pseudonym: name.slice(0, 16) });
  yield ["head", row.head, toHex(head)];
  const key = drawKey(fromHex(row.split_key), head);
  yield ["draw key", row.draw_key, toHex(key)];
  yield ["draw order", row.draw_order_of_12, drawOrder(key, 12, 12).map(BigInt)];
}

async function checkVectors(path) {
  const text = readFileSync(path, "utf8");
  let checked = 0;
  let failed = 0;
  for (const [what, expected, computed] of vectors(text)) {
    checked += 1;
    if (shown(expected) === shown(computed)) continue;
    failed += 1;
    console.log(`FAILED ${what}: expected ${shown(expected)}, computed ${shown(computed)}`);
  }
  console.log(`${checked} vectors, ${failed} failed`);
  return failed === 0;
}

async function checkFile(path) {
  const { ok, level, limits, findings } = await verify(readFileSync(path, "utf8"));
  for (const { check, ok: fine, checked, zh, en } of findings) {
    const word = fine ? (checked ? "ok" : "unchecked") : "FAILED";
    console.log(`${word.padEnd(10)}${check.padEnd(12)}${en} / ${zh}`);
  }
  if (level !== null) console.log(`level ${level}: what it does not stop`);
  for (const { zh, en } of limits) console.log(`  - ${zh}\n    ${en}`);
  return ok;
}

async function checkLines() {
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    const { ok, readable, level, findings } = await verify(line);
    console.log(JSON.stringify({ ok, readable, level, findings }));
  }
  return true;
}

const [first, ...rest] = process.argv.slice(2);
let ok = true;
if (first === undefined) ok = await checkLines();
else if (first === "--vectors") ok = await checkVectors(rest[0]);
else for (const path of [first, ...rest]) ok = (await checkFile(path)) && ok;
process.exitCode = ok ? 0 : 1;
