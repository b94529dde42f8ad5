// Sealed parameters: what the cashier is called with reaches this page, and is read nowhere between.
//
// Law: a new key for every sending; an answer is opened once, by the page that asked; who has asked
// for a seal takes nothing in the clear. Without a seal there is nothing to open: the server says
// whether that will do. ECDH P-256, HKDF-SHA256, SM4-GCM bound to the order (GB/T 32907, RFC 8998).
import { ask, Offline, Refused, type Wish } from "./api";
import { read64, write64 } from "./base64";
import type { OrderShown, SealedInvocation } from "./schema";
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
  open(orderId: string, sealed: SealedInvocation): Promise<Record<string, string>>;
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
    async open(orderId, { key, nonce, text }) {
      const raw = read64(text);
      const { decrypt } = await cipher();
      const plain = decrypt(await agreed(own, point, read64(key)), {
        nonce: read64(nonce), bound: new TextEncoder().encode(orderId),
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

/** Open the pay sheet's parameters of an order, where it has some. */
async function openIn(order: OrderShown, seal: Seal): Promise<void> {
  if (order.invocation) throw unsealed();
  if (!order.sealed_invocation) return;
  order.invocation = await seal.open(order.id, order.sealed_invocation).catch((fault) => {
    throw fault instanceof Offline ? fault : unsealed();
  });
}

/** Ask for something whose order's pay sheet comes sealed to this page, and open that. */
export async function askSealed<Shape>(
  path: string, wish: Wish, orderOf: (told: Shape) => OrderShown | undefined,
): Promise<Shape> {
  if (!canSeal()) return ask<Shape>("POST", path, wish);
  const seals: Seal[] = [];
  const each = async (): Promise<Record<string, string>> => {
    const seal = await makeSeal();
    seals.push(seal);
    return { "Sealed-To": seal.point };
  };
  const told = await ask<Shape>("POST", path, { ...wish, each });
  const order = orderOf(told);
  const last = seals.pop(); // the answer is to the last sending: nothing is sent beside another
  if (order && last) await openIn(order, last);
  return told;
}
