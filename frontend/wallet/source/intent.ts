// Intents: what a person is about to do, under one idempotency key from the first tap on.
//
// Law: the same intent keeps its key through a second tap, a lost answer and a reload of the page;
// it is dropped when the server has answered for good.
const PLACE = "lingqian.intent.";

const fresh = (): string => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
};

function shelf(): Storage | null {
  try {
    return window.sessionStorage;
  } catch {
    return null; // storage is closed to us: the key lasts as long as the page
  }
}

const held = new Map<string, string>();

/** The key of an intent; what is asked for is part of its name, so a changed wish has another. */
export function keyFor(name: string, fields: object): string {
  const full = `${PLACE}${name}.${JSON.stringify(fields)}`;
  const known = held.get(full) ?? shelf()?.getItem(full);
  const key = known ?? fresh();
  held.set(full, key);
  shelf()?.setItem(full, key);
  return key;
}

/** Drop an intent that is done, or refused: the next one like it is a new one. */
export function settle(name: string, fields: object): void {
  const full = `${PLACE}${name}.${JSON.stringify(fields)}`;
  held.delete(full);
  shelf()?.removeItem(full);
}
