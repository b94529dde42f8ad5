// Write source/schema.ts: the shapes of our API that the wallet reads and writes, as types.
//
// node tool/types.mjs openapi.json     the document is what a running server gives at /openapi.json
import { readFileSync, writeFileSync } from "node:fs";
import openapiTypescript, { astToString } from "openapi-typescript";

const USED = [
  "Problem", "Balances", "CoinsShown", "PacketShown", "PacketMade", "NewPacket", "ClaimMade",
  "Entered", "ClaimList", "History", "Statement", "PlanList", "OrderShown", "OrderList", "NewTopUp",
  "Trail", "GiftRows", "GiftShown", "PayoutShown", "LimitList", "UserShown",
  "SecurityShown", "SessionList", "RealNameShown", "CoverShown", "CoverList",
];
const HOME = new URL("../source/schema.ts", import.meta.url);

/** Collect the names that a shape refers to, its own included. */
function reach(schemas, name, found) {
  if (found.has(name)) return found;
  found.add(name);
  const text = JSON.stringify(schemas[name]);
  for (const [, next] of text.matchAll(/#\/components\/schemas\/([^"]+)/g)) {
    reach(schemas, next, found);
  }
  return found;
}

const document = JSON.parse(readFileSync(process.argv[2], "utf8"));
const all = document.components.schemas;
const names = USED.reduce((found, name) => reach(all, name, found), new Set());
const schemas = Object.fromEntries([...names].sort().map((name) => [name, all[name]]));
const part = { openapi: document.openapi, info: document.info, paths: {}, components: { schemas } };
const options = { rootTypes: true, rootTypesNoSchemaPrefix: true, defaultNonNullable: false };
writeFileSync(HOME, astToString(await openapiTypescript(part, options)));
