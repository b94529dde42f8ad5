// Sealed parameters: what the cashier is called with reaches this page, and is read nowhere between.
//
// Law: a new key for every sending; an answer is opened once, by the page that asked; who has asked
// for a seal takes nothing in the clear. Without a seal there is nothing to open: the server says
// whether that will do. ECDH P-256, HKDF-SHA256, SM4-GCM bound to the order, or to the payout
// (GB/T 32907, RFC 8998).
import { ask, Offline, Refused, type Wish } from "./api";
import { read64, write64 } from "./base64";
import type { OrderShown, PayoutShown, SealedInvocation } from "./schema";
import { say } from "./words";

const CURVE = { name: "ECDH", namedCurve: "P-256" };
const INFO = new TextEncoder().encode("lingqian cashier v1");
const KEY_BITS = 128;
const TAG_BYTES = 16;

/** Whether this browser can open what is sealed: keys of its own, and integers long enough. */
export const canSeal = (): boolean =>
  typeof crypto.subtle !== "undefined" && typeof BigInt === "function";

/** Fetch the cipher, which is no part of the first screen. Throws `Offline` when it does not come. */
export const cipher = () =>
  import("./cipher").catch((fault) => {
    throw new Offline(String(fault));
  });

interface Seal {
  /** Our key of this one sending, as the server wants to be told. */
  point: string;
  open(id: string, sealed: SealedInvocation): Promise<Record<string, string>>;
}

const joined = (...parts: Uint8Array[]): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

/** Agree on a key with the server: both public keys are part of it. */
async function agreed(own: CryptoKeyPair, point: Uint8Array, theirs: Uint8Array<ArrayBuffer>) {
  const other = await crypto.subtle.importKey("raw", theirs, CURVE, false, []);
  const how = { name: "ECDH", public: other };
  const shared = await crypto.subtle.deriveBits(how, own.privateKey, 256);
  const secret = await crypto.subtle.importKey("raw", shared, "HKDF", false, ["deriveBits"]);
  const derive = { name: "HKDF", hash: "SHA-256", salt: joined(point, theirs), info: INFO };
  return new Uint8Array(await crypto.subtle.deriveBits(derive, secret, KEY_BITS));
}

async function makeSeal(): Promise<Seal> {
  const own = await crypto.subtle.generateKey(CURVE, false, ["deriveBits"]);
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", own.publicKey));
  return {
    point: write64(point),
    async open(id, { key, nonce, text }) {
      const raw = read64(text);
      const { decrypt } = await cipher();
      const plain = decrypt(await agreed(own, point, read64(key)), {
        nonce: read64(nonce), bound: new TextEncoder().encode(id),
        text: raw.slice(0, -TAG_BYTES), tag: raw.slice(-TAG_BYTES),
      });
      return JSON.parse(new TextDecoder().decode(plain)) as Record<string, string>;
    },
  };
}

/** What is not sealed as we asked is told to the person, and nothing is paid with it. */
const unsealed = (): Refused => {
  const words = say("unsealed");
  return new Refused(0, { code: "unsealed", message_zh: words, message_en: words });
};

/** What has a sheet: an order to be paid, or a payout to be taken. */
type Sheeted = Partial<Pick<OrderShown, "invocation" | "sealed_invocation">>
  & Partial<Pick<PayoutShown, "confirmation" | "sealed_confirmation">> & { id: string };

/** Open the parameters of a sheet, where there is one. */
async function openIn(it: Sheeted, seal: Seal): Promise<void> {
  if (it.invocation || it.confirmation) throw unsealed();
  const open = (sealed: SealedInvocation) => seal.open(it.id, sealed).catch((fault) => {
    throw fault instanceof Offline ? fault : unsealed();
  });
  if (it.sealed_invocation) it.invocation = await open(it.sealed_invocation);
  if (it.sealed_confirmation) it.confirmation = await open(it.sealed_confirmation);
}

/** Ask for something whose sheet comes sealed to this page, and open that. */
export async function askSealed<Shape>(
  method: "GET" | "POST", path: string, wish: Wish, sheetOf: (told: Shape) => Sheeted | undefined,
): Promise<Shape> {
  if (!canSeal()) return ask<Shape>(method, path, wish);
  const seals: Seal[] = [];
  const each = async (): Promise<Record<string, string>> => {
    const seal = await makeSeal();
    seals.push(seal);
    return { "Sealed-To": seal.point };
  };
  const told = await ask<Shape>(method, path, { ...wish, each });
  const it = sheetOf(told);
  const last = seals.pop(); // the answer is to the last sending: nothing is sent beside another
  if (it && last) await openIn(it, last);
  return told;
}
