// Write STAMP beside the built pages: the SHA-256 over their sources, so that a test without Node
// can tell whether somebody forgot to build. tests/tidy/test_wallet_page.py computes it again.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const HOME = fileURLToPath(new URL("..", import.meta.url));
const FRONTEND = join(HOME, "..");
const OUT = join(HOME, "../../src/lingqian/web/static/wallet/STAMP");
const BESIDE = [join(FRONTEND, "verifier", "verify.mjs")];

function* walk(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (name === "node_modules" || name.startsWith(".")) continue;
    if (statSync(path).isDirectory()) yield* walk(path);
    else yield path;
  }
}

const nameOf = (path) => relative(FRONTEND, path).split(sep).join("/");
const sources = [...walk(HOME), ...BESIDE].map((path) => [nameOf(path), path]);
sources.sort(([a], [b]) => (a < b ? -1 : 1));
const whole = createHash("sha256");
for (const [name, path] of sources) {
  whole.update(`${name}\0${createHash("sha256").update(readFileSync(path)).digest("hex")}\n`);
}
writeFileSync(OUT, `${whole.digest("hex")}\n`);
