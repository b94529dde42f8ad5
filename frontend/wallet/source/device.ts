// This device as the server knows it: a P-256 key that never leaves it, and tokens bound to that
// key (RFC 9449, DPoP). A stolen token is worth nothing without the key.
import { write64 } from "./base64";
import { del, get, put } from "./drawer";

interface Kept {
  pair: CryptoKeyPair;
  granted: Granted;
  /** Until when the access token is taken as good, ms. */
  until: number;
}

interface Granted {
  access_token: string;
  expires_in_s: number;
  refresh_token: string;
  session_id: string;
  device_id: string;
  user_id: string;
  /** Where in the wallet the link led. */
  path?: string;
}

export interface DeviceSession {
  readonly userId: string;
  readonly path: string;
  credentials(method: string, path: string): Promise<Record<string, string>>;
  renew(): Promise<boolean>;
}

const KEPT = "device";
const EARLY_MS = 30_000;
const encoder = new TextEncoder();
// The server's clock less ours, ms: phones are wrong, and a proof is good for a minute.
let skew = 0;

const part = (value: unknown): string => write64(encoder.encode(JSON.stringify(value)));

/** Make a proof that this device asks for this, now, once; with the token it goes with. */
async function proof(pair: CryptoKeyPair, method: string, path: string, token = ""): Promise<string> {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  const head = { typ: "dpop+jwt", alg: "ES256", jwk: { kty, crv, x, y } };
  const body: Record<string, unknown> = {
    jti: write64(crypto.getRandomValues(new Uint8Array(16))),
    htm: method,
    htu: location.origin + (path.split("?")[0] ?? ""),
    iat: Math.floor((Date.now() + skew) / 1000),
  };
  if (token) {
    const digest = await crypto.subtle.digest("SHA-256", encoder.encode(token));
    body.ath = write64(new Uint8Array(digest));
  }
  const text = `${part(head)}.${part(body)}`;
  const how = { name: "ECDSA", hash: "SHA-256" };
  const signature = await crypto.subtle.sign(how, pair.privateKey, encoder.encode(text));
  return `${text}.${write64(new Uint8Array(signature))}`;
}

async function post(pair: CryptoKeyPair, path: string, fields: object): Promise<Granted | null> {
  for (let tries = 0; tries < 2; tries += 1) {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", DPoP: await proof(pair, "POST", path) },
      body: JSON.stringify(fields),
    });
    if (answer.ok) return (await answer.json()) as Granted;
    if (!hear(answer)) return null;
  }
  return null;
}

/** Learn the server's clock from an answer; say whether ours was wrong enough to matter. */
function hear(answer: Response): boolean {
  const theirs = Date.parse(answer.headers.get("date") ?? "");
  if (Number.isNaN(theirs)) return false;
  const wrong = Math.abs(theirs - (Date.now() + skew)) > EARLY_MS;
  if (wrong) skew = theirs - Date.now();
  return wrong;
}

const LOCK = "lingqian.refresh";

/** Let one page of this browser do something at a time, where browsers know how. */
async function alone<T>(work: () => Promise<T>): Promise<T> {
  if (!("locks" in navigator)) return work();
  return (await navigator.locks.request(LOCK, work)) as T;
}

function session(first: Kept): DeviceSession {
  let kept = first;
  let renewing: Promise<boolean> | null = null;

  /** Trade the refresh token for new ones, or take over what another page has traded for. */
  async function refresh(): Promise<boolean> {
    const known = await get<Kept>(KEPT);
    // Somebody else may have come in on this browser: nobody goes on with another's token.
    if (known?.granted.user_id !== kept.granted.user_id) return false;
    if (known.granted.refresh_token !== kept.granted.refresh_token) {
      kept = known;
      if (Date.now() < kept.until) return true;
    }
    const fields = { refresh_token: kept.granted.refresh_token };
    const fresh = await post(kept.pair, "/v1/sessions/refresh", fields);
    if (!fresh) return false;
    kept = await keep(kept.pair, fresh);
    return true;
  }

  /** Many requests may find the token too old at once: one of them asks for all. */
  function renew(): Promise<boolean> {
    renewing ??= alone(refresh).finally(() => {
      renewing = null;
    });
    return renewing;
  }

  return {
    get userId() {
      return kept.granted.user_id;
    },
    path: first.granted.path ?? "",
    renew,
    async credentials(method, path) {
      if (Date.now() > kept.until) await renew();
      const token = kept.granted.access_token;
      const made = await proof(kept.pair, method, path, token);
      return { Authorization: `DPoP ${token}`, DPoP: made };
    },
  };
}

async function keep(pair: CryptoKeyPair, granted: Granted): Promise<Kept> {
  const until = Date.now() + granted.expires_in_s * 1000 - EARLY_MS;
  const kept: Kept = { pair, granted, until };
  await put(KEPT, kept);
  return kept;
}

/** Come in with a link: make this device's key, and trade the link for a session bound to it. */
export async function enter(link: string): Promise<DeviceSession | null> {
  const how = { name: "ECDSA", namedCurve: "P-256" };
  const pair = await crypto.subtle.generateKey(how, false, ["sign", "verify"]);
  const granted = await post(pair, "/v1/sessions", { link, device_name: deviceName() });
  return granted ? session(await keep(pair, granted)) : resume();
}

/** Go on with the session this device had; null when there is none, or it was ended. */
export async function resume(): Promise<DeviceSession | null> {
  const kept = await get<Kept>(KEPT);
  if (!kept) return null;
  const known = session(kept);
  return Date.now() < kept.until || (await known.renew()) ? known : null;
}

/** Whether this device has been let in before. */
export const isKnownDevice = async (): Promise<boolean> => (await get<Kept>(KEPT)) !== undefined;

/** Throw this device's key away. */
export const clearDevice = (): Promise<void> => del(KEPT);

/** What a person would call this device, in the list of her devices. */
function deviceName(): string {
  const agent = navigator.userAgent;
  const kind = /iPhone|iPad/.exec(agent)?.[0] ?? /Android [\d.]+; ([^;)]+)/.exec(agent)?.[1];
  const inside = /MicroMessenger/.test(agent) ? "微信 " : "";
  return `${inside}${kind ?? "Web"}`.slice(0, 32);
}
