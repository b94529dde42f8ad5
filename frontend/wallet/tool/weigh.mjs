// Print what the first screen weighs, gzipped: the page and everything it loads before a tap.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const OUT = fileURLToPath(new URL("../../../src/lingqian/web/static/wallet/", import.meta.url));
const LIMIT = 100_000;
const weight = (name) => gzipSync(readFileSync(OUT + name), { level: 9 }).length;

const page = readFileSync(`${OUT}index.html`, "utf8");
const first = ["index.html", ...Array.from(page.matchAll(/\/wallet\/([\w.-]+)/g), (row) => row[1])];
const later = readdirSync(OUT).filter((name) => /js$|css$/.test(name) && !first.includes(name));
const sum = first.reduce((bytes, name) => bytes + weight(name), 0);
for (const name of first) console.log(`${String(weight(name)).padStart(8)}  ${name}`);
console.log(`${String(sum).padStart(8)}  first screen, bytes gzipped (limit ${LIMIT})`);
for (const name of later) console.log(`${String(weight(name)).padStart(8)}  later: ${name}`);
process.exitCode = sum < LIMIT ? 0 : 1;
