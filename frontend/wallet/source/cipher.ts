// The cipher of sealed parameters, fetched when it is needed: SM4 in Galois counter mode (国密).
import { sm4 } from "sm-crypto-v2";

export interface Sealed {
  nonce: Uint8Array;
  bound: Uint8Array;
  text: Uint8Array;
  tag: Uint8Array;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Open what was sealed. Throws when a byte of it, or what it is bound to, was changed. */
export function decrypt(key: Uint8Array, { nonce, bound, text, tag }: Sealed): Uint8Array {
  // The library would open a text without a tag, unproven, and a nonce of any length.
  if (nonce.length !== NONCE_BYTES || tag.length !== TAG_BYTES) throw new Error("not sealed");
  return sm4.decrypt(text, key, {
    mode: "gcm", iv: nonce, associatedData: bound, tag, output: "array",
  }) as Uint8Array;
}
