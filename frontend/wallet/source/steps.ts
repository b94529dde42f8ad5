// Steps: what a person does on the way to a top-up, told to the server beside the money and never
// in its way. A step has an id of its own, so what got no answer is told again later.
import { ask, Offline, Refused } from "./api";
import { warm } from "./cashier";
import { session } from "./session";
import { taste } from "./taste";

export type Step =
  | "plan_view" | "amount_select" | "quote" | "invoke" | "sheet_shown" | "confirmed" | "cancel";
export type Reason = "" | "back" | "closed_sheet" | "too_slow" | "no_money" | "changed_mind" | "failed";
export type Preparation = "connection" | "quote" | "sheet";

interface Told {
  id: string;
  trace_id: string;
  step: Step;
  at: string;
  scene: string;
  order_id?: string;
  amount_fen?: number;
  reason?: Reason;
}

const PLACE = "lingqian.steps";
const WAIT_MS = 200;
const AT_ONCE_MAX = 50;
const KEPT_MAX = 200;
const BUSY = 429;

const hex = (size: number): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(size)), (byte) =>
    byte.toString(16).padStart(2, "0")).join("");
const waiting: Told[] = kept();
let timer = 0;
let trace = hex(16);
let prepare: (what: Preparation) => void = () => undefined;

function kept(): Told[] {
  try {
    return JSON.parse(localStorage.getItem(PLACE) ?? "[]") as Told[];
  } catch {
    return [];
  }
}
function keep(): void {
  try {
    localStorage.setItem(PLACE, JSON.stringify(waiting.slice(-KEPT_MAX)));
  } catch {
    // What is not told before the page closes is lost; nobody's money hangs on it.
  }
}

/** Begin a new passage: everything until the next beginning belongs together. */
export function beginPassage(prepared: (what: Preparation) => void): void {
  trace = hex(16);
  prepare = prepared;
}

/** End a passage: nothing is prepared any more. */
export function endPassage(): void {
  prepare = () => undefined;
}

/** Tell a step. */
export function step(name: Step, facts: Partial<Pick<Told, "order_id" | "amount_fen" | "reason">> = {}): void {
  const scene = taste.skin === "plain" ? "" : taste.skin;
  waiting.push({ id: hex(8), trace_id: trace, step: name, at: new Date().toISOString(), scene, ...facts });
  keep();
  timer ||= window.setTimeout(() => void tellAll(), WAIT_MS);
}

async function tellAll(): Promise<void> {
  timer = 0;
  const events = waiting.slice(0, AT_ONCE_MAX);
  if (events.length === 0 || !session.userId) return;
  try {
    const fields = { user_id: session.userId, events };
    const told = await ask<{ prepare: Preparation[] }>("POST", "behaviour-events", { fields });
    waiting.splice(0, events.length);
    if (told.prepare.includes("connection")) warm();
    told.prepare.forEach((what) => prepare(what));
  } catch (fault) {
    // Busy or offline: told with the next step. Refused: told wrongly, and never right.
    const isLater = fault instanceof Offline || (fault instanceof Refused && fault.status >= BUSY);
    if (!isLater) waiting.splice(0, events.length);
  }
  keep();
}
