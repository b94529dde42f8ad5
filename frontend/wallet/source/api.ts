// Calls to our API. A refusal is the server's word, with its words for people; no answer at all is
// `Offline`, and says nothing about what was done: the same call with the same key may follow.
import { credentials, renew } from "./session";
import type { Problem } from "./schema";
import { taste } from "./taste";

type Fields = Partial<Problem> & Record<string, unknown>;

export class Refused extends Error {
  constructor(readonly status: number, readonly problem: Fields) {
    super(problem.code ?? String(status));
  }

  get code(): string {
    return this.problem.code ?? "";
  }

  /** The refusal in the person's language. */
  get words(): string {
    const { message_zh: zh, message_en: en, detail } = this.problem;
    return (taste.language === "zh" ? zh : en) ?? detail ?? String(this.status);
  }
}

export class Offline extends Error {}

export interface Wish {
  fields?: object;
  /** A file in place of fields, as it is. */
  file?: Blob;
  /** The idempotency key; a call with one may be sent again at any time. */
  key?: string;
  /** Headers of this one call. */
  headers?: Record<string, string>;
  /** Headers that are made anew for every sending of it. */
  each?: () => Promise<Record<string, string>>;
}

const WAITS_MS = [300, 900, 2_700];
const TIMEOUT_MS = 20_000;
const UNAUTHENTICATED = 401;
const BUSY = [429, 503];
const PROVABLE = ["factor_needed", "password_not_set"];

export const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** An answer as a whole, headers and body: what was cut off in the middle is no answer. */
interface Answer {
  status: number;
  ok: boolean;
  media: string;
  body: ArrayBuffer;
}

async function send(method: string, path: string, wish: Wish): Promise<Answer> {
  const own: Record<string, string> = { ...(wish.each && (await wish.each())), ...wish.headers };
  if (wish.fields) own["Content-Type"] = "application/json";
  if (wish.file) own["Content-Type"] = wish.file.type;
  if (wish.key) own["Idempotency-Key"] = wish.key;
  const body = wish.fields ? JSON.stringify(wish.fields) : (wish.file ?? null);
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), TIMEOUT_MS);
  try {
    // Saying who asks may itself need an answer: a token that has run out is renewed first.
    const headers = { ...(await credentials(method, path)), ...own };
    const how = { method, headers, body, signal: stop.signal, cache: "no-store" } as const;
    const answer = await fetch(path, how);
    const media = answer.headers.get("Content-Type") ?? "";
    return { status: answer.status, ok: answer.ok, media, body: await answer.arrayBuffer() };
  } catch (fault) {
    throw new Offline(String(fault));
  } finally {
    clearTimeout(timer);
  }
}

/** Read what an answer says; an empty one says nothing, and a refusal may be of another's words. */
async function fieldsOf({ ok, body }: Answer): Promise<Fields> {
  const text = new TextDecoder().decode(body);
  try {
    return text ? (JSON.parse(text) as Fields) : {};
  } catch (fault) {
    if (ok) throw new Offline(String(fault));
    return {};
  }
}

async function once(method: string, path: string, wish: Wish): Promise<Answer> {
  const answer = await send(method, path, wish);
  const isRenewed = answer.status === UNAUTHENTICATED && (await renewed());
  return isRenewed ? send(method, path, wish) : answer;
}

/** Prove anew who is here; without a line nobody can say whether that would have been good. */
async function renewed(): Promise<boolean> {
  try {
    return await renew();
  } catch (fault) {
    throw new Offline(String(fault));
  }
}

type Read<T> = (answer: Answer) => Promise<T>;

/** Ask until there is an answer that can be read; only what may be repeated is repeated. */
async function persist<T>(
  method: string, path: string, wish: Wish, read: Read<T>,
): Promise<[Answer, T]> {
  const mayRepeat = method === "GET" || wish.key !== undefined;
  for (let tries = 0; ; tries += 1) {
    const wait = WAITS_MS[tries];
    const isLast = wait === undefined || !mayRepeat;
    try {
      const answer = await once(method, path, wish);
      if (isLast || !BUSY.includes(answer.status)) return [answer, await read(answer)];
    } catch (fault) {
      if (isLast || !navigator.onLine) throw fault;
    }
    await pause(wait);
  }
}

/** How a person proves a payment: given the refusal that asks for it, the header, or null. */
type Prove = (refusal: Refused) => Promise<string | null>;
let prove: Prove = () => Promise.resolve(null);

/** Set who asks the person for the payment password. */
export function proveWith(how: Prove): void {
  prove = how;
}

/**
 * Ask the API and read its answer; a payment that must be proven is proven and asked for again.
 *
 * Throws `Refused` with the server's words, or `Offline` when no answer came.
 */
export async function ask<Shape>(method: string, path: string, wish: Wish = {}): Promise<Shape> {
  const [answer, fields] = await persist(method, `/v1/${path}`, wish, fieldsOf);
  if (answer.ok) return fields as Shape;
  const refusal = new Refused(answer.status, fields);
  const isMoney = wish.key !== undefined && !wish.headers;
  const isAsked = isMoney && PROVABLE.includes(refusal.code);
  const factor = isAsked ? await prove(refusal) : null;
  if (factor === null) throw refusal;
  return ask<Shape>(method, path, { ...wish, headers: { "Payment-Factor": factor } });
}

/** Ask for a file, for saving. */
export async function askFile(path: string): Promise<Blob> {
  const [answer] = await persist("GET", `/v1/${path}`, {}, () => Promise.resolve());
  if (!answer.ok) throw new Refused(answer.status, await fieldsOf(answer));
  return new Blob([answer.body], { type: answer.media });
}
