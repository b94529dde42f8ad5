// What the person has, as far as it is durable: the balance, the coins, and what is on its way.
//
// A cold open shows what was last known, with its time; a reading replaces it. Money that is not
// durable is never added to what is had: a top-up that waits stands beside it, as on its way.
import { reactive } from "vue";
import { ask, Offline } from "./api";
import { noteNow } from "./clock";
import { listen, onWake } from "./live";
import type { Balances, CoinsShown, OrderList, OrderShown } from "./schema";
import { session } from "./session";
import { inTurn } from "./turn";

interface Known {
  balanceFen: number;
  availableFen: number;
  incomingFen: number;
  coins: number;
  bonusCoins: number;
  frozenCoins: number;
  /** When the server said so, ms. */
  at: number;
}

interface Purse extends Known {
  /** Nothing is known yet: nothing is shown, not even a nought. */
  isKnown: boolean;
  /** Whether the reading is of now, not of an earlier visit. */
  isFresh: boolean;
  /** Top-ups that the person has paid for, or may have, and does not have yet. */
  waiting: OrderShown[];
  /** Top-ups and packets that still may be paid. */
  payable: OrderShown[];
  /** Top-ups whose coins were advanced in an outage: here already, and still to be paid. */
  advanced: OrderShown[];
  /** The order opened ahead of a tap: not the person's wish yet, so not shown. */
  aheadId: string;
}

const NOTHING: Known = {
  balanceFen: 0, availableFen: 0, incomingFen: 0, coins: 0, bonusCoins: 0, frozenCoins: 0, at: 0,
};
export const purse = reactive<Purse>({
  ...NOTHING, isKnown: false, isFresh: false, waiting: [], payable: [], advanced: [], aheadId: "",
});

const SOON_MS = 150;
const placeOf = (userId: string) => `lingqian.purse.${userId}`;
let timer = 0;

/** Show what an earlier visit knew, before anything was asked. */
export function recall(): void {
  try {
    const kept = localStorage.getItem(placeOf(session.userId));
    if (!kept) return;
    Object.assign(purse, JSON.parse(kept) as Known, { isKnown: true, isFresh: false });
  } catch {
    // Nothing is remembered: the reading that follows shows what is there.
  }
}

function remember(): void {
  const { balanceFen, availableFen, incomingFen, coins, bonusCoins, frozenCoins, at } = purse;
  const known = { balanceFen, availableFen, incomingFen, coins, bonusCoins, frozenCoins, at };
  try {
    localStorage.setItem(placeOf(session.userId), JSON.stringify(known));
  } catch {
    // The next cold open will have to wait for its first reading.
  }
}

const isOpen = (order: OrderShown): boolean =>
  !order.is_credited && !order.wallet_order_id && ["none", "paying"].includes(order.pay_state);
const hasCome = (order: OrderShown): boolean =>
  !order.is_credited && order.pay_state === "paid" && order.refund_state === "none";

async function read(): Promise<void> {
  const me = `users/${session.userId}`;
  const [money, coins, orders] = await Promise.all([
    ask<Balances>("GET", `${me}/balances`), ask<CoinsShown>("GET", `${me}/coins`),
    ask<OrderList>("GET", `${me}/top-ups?limit=20`),
  ]);
  const row = money.balances.find((each) => each.book === "balance");
  const list = orders.top_ups;
  noteNow(money.as_of);
  Object.assign(purse, {
    balanceFen: row?.amount_fen ?? 0, availableFen: row?.available_fen ?? 0,
    incomingFen: row?.incoming_fen ?? 0,
    coins: coins.available, bonusCoins: coins.bonus, frozenCoins: coins.frozen,
    at: Date.now(), isKnown: true, isFresh: true,
    waiting: list.filter((order) => hasCome(order) || (isOpen(order) && returned.has(order.id))),
    payable: list.filter((order) => isOpen(order) && !returned.has(order.id) && order.id !== purse.aheadId),
    advanced: list.filter((order) => order.credit_state === "advanced"),
  });
  remember();
}

const RETURNED = "lingqian.returned";
const RETURNED_MAX = 20;

/** Orders whose sheet said "paid" here; the server has not proven it yet. */
const returned = new Set<string>(recallReturned());

function recallReturned(): string[] {
  try {
    return JSON.parse(localStorage.getItem(RETURNED) ?? "[]") as string[];
  } catch {
    return [];
  }
}

/** Note that the sheet of an order came back as paid: until it is proven, it is on its way. */
export function noteReturned(orderId: string): void {
  returned.add(orderId);
  try {
    localStorage.setItem(RETURNED, JSON.stringify([...returned].slice(-RETURNED_MAX)));
  } catch {
    // After a reload the order is offered as unpaid until the server has proven it.
  }
}

const inTurns = inTurn(async () => {
  try {
    await read();
  } catch (fault) {
    purse.isFresh = false;
    if (!(fault instanceof Offline)) throw fault;
  }
});

/** Read the purse; what is read began after this was asked. */
export const refresh = (): Promise<void> => inTurns(session.userId);

function soon(): void {
  timer ||= window.setTimeout(() => {
    timer = 0;
    void refresh();
  }, SOON_MS);
}

const CONCERNS = /^(topup|gift|payout|refund|balance|funding|transfer|packet|coins|income|advance)\./;

/** Keep the purse as it is, for as long as the page lives. */
export function keepPurse(): void {
  listen(({ type, data }) => {
    if (CONCERNS.test(type) && JSON.stringify(data).includes(session.userId)) soon();
  });
  onWake(soon);
  window.addEventListener("online", soon);
  window.addEventListener("offline", () => {
    purse.isFresh = false;
  });
}
