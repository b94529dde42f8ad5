// The till: orders that are paid at the cashier, from the tap until they are credited.
//
// Law: only the server says what was paid and credited; the sheet's own word moves no sum here.
import { reactive } from "vue";
import { ask, pause } from "./api";
import { pay, way, type Paid } from "./cashier";
import { keyFor, settle } from "./intent";
import { listen } from "./live";
import { mark } from "./mark";
import { noteReturned, refresh } from "./purse";
import { askSealed } from "./seal";
import type { OfferShown, OrderShown } from "./schema";
import { session } from "./session";
import { step } from "./steps";
import { tell } from "./tell";
import { inTurn } from "./turn";
import { say, type Word } from "./words";

/** Orders by id, as last read. */
export const till = reactive<Record<string, OrderShown>>({});
const LOOKS_MS = [400, 600, 1_000, 1_500, 2_000, 3_000, 4_000, 5_000, 8_000, 10_000, 15_000];
/** Orders whose sheet is open, or on its way. */
const paying = reactive(new Set<string>());

/** Whether the sheet of an order is open, or on its way. */
export const isAtTill = (orderId: string): boolean => paying.has(orderId);

const itself = (order: OrderShown): OrderShown => order;
const keep = (order: OrderShown): OrderShown => {
  till[order.id] = order;
  return order;
};

/** Whether its coins are here before its payment is proven: it is still to be paid. */
export const isAdvanced = (order: OrderShown): boolean => order.credit_state === "advanced";

/** Whether the own balance has paid in its place. */
const isReplaced = (order: OrderShown): boolean => order.wallet_order_id !== undefined;

/** Whether nothing more happens to an order by itself. */
export const isOver = (order: OrderShown): boolean =>
  (order.is_credited && !isAdvanced(order)) || isReplaced(order) || order.pay_state === "closed" ||
  order.refund_state === "full";

/** Whether the person can still pay it. */
export const isPayable = (order: OrderShown): boolean =>
  !isOver(order) && ["none", "paying"].includes(order.pay_state);

/** What stood in the way of a sheet, and what was offered then: no later reading tells it again. */
function hindered({ hindrance, offers }: Partial<OrderShown> = {}): Partial<OrderShown> {
  return { ...(hindrance && { hindrance }), ...(offers && { offers }) };
}

/** Read an order; what is read began after this was asked. */
export const look = inTurn(async (orderId): Promise<OrderShown> => {
  const order = await ask<OrderShown>("GET", `top-ups/${orderId}`);
  const stays = isPayable(order) && !isAdvanced(order);
  return keep(stays ? { ...order, ...hindered(till[orderId]) } : order);
});

/** Open an order for what is bought; the same wish again is the same order until it is answered. */
export async function buy(wish: object): Promise<OrderShown> {
  const fields = { ...wish, ...way() };
  const asked = { fields, key: keyFor("top-up", fields) };
  const order = await askSealed<OrderShown>("POST", "top-ups", asked, itself);
  settle("top-up", fields);
  return keep(order);
}

/** Ask for the sheet again: the same attempt while it is good, so that only one can be paid. */
const sheetAgain = async (order: OrderShown): Promise<OrderShown> =>
  keep(await askSealed<OrderShown>("POST", `top-ups/${order.id}/attempts`, { fields: way() }, itself));

/** Look until it is over, ever less often; what comes later is told by the event stream. */
async function follow(orderId: string): Promise<void> {
  for (const wait of LOOKS_MS) {
    await pause(wait);
    if (isOver(await look(orderId).catch(() => till[orderId]!))) break;
  }
  await refresh();
}

/** Open the sheet of an order and say to the server when the person comes back from it. */
async function collect(order: OrderShown): Promise<Paid | "hindered"> {
  if (paying.has(order.id)) return "ok"; // a second tap: the sheet is open already
  paying.add(order.id);
  try {
    const facts = { order_id: order.id, amount_fen: order.amount_fen };
    step("invoke", facts);
    const open = order.invocation ? order : await sheetAgain(order);
    if (!open.invocation) return isOver(open) ? "ok" : "hindered";
    step("sheet_shown", facts);
    mark(`sheet_asked:${order.id}`);
    const said = await pay(open.invocation);
    mark(`sheet_left:${order.id}`);
    if (said === "ok") noteReturned(order.id);
    if (said === "ok") step("confirmed", facts);
    else step("cancel", { ...facts, reason: said === "cancel" ? "closed_sheet" : "failed" });
    if (said !== "absent") keep(await ask<OrderShown>("POST", `top-ups/${order.id}/return`));
    if (said === "ok") void follow(order.id);
    await refresh();
    return said;
  } finally {
    paying.delete(order.id);
  }
}

const OUTCOMES: Record<string, Word> = {
  cancel: "pay_cancelled", fail: "pay_failed", hindered: "pay_failed", absent: "no_bridge",
};

/** Open the sheet of an order; tell the person when it came to nothing. */
export async function collectAloud(order: OrderShown): Promise<boolean> {
  const said = await collect(order);
  const word = OUTCOMES[said];
  if (word) tell(say(word));
  return word === undefined;
}

/**
 * Take up a way that is open while no channel takes the payment; return the order it came to.
 *
 * The own wallet pays by an order of its own, and the unpaid one ends; an advance keeps its order.
 */
export async function takeUp(order: OrderShown, offer: OfferShown): Promise<OrderShown> {
  const path = offer.path.replace(/^\/v1\//, "");
  const intent = { order_id: order.id, way: offer.way };
  const taken = await ask<OrderShown>("POST", path, { key: keyFor("offer", intent) });
  settle("offer", intent);
  if (taken.id !== order.id) await look(order.id);
  keep(taken);
  await refresh();
  return taken;
}

/** Give an unpaid order up. */
export async function giveUp(order: OrderShown): Promise<void> {
  keep(await ask<OrderShown>("POST", `top-ups/${order.id}/cancellation`));
  await refresh();
}

listen(({ type, data }) => {
  const orderId = data.order_id;
  if (!/^(topup|advance)\./.test(type) || typeof orderId !== "string") return;
  if (till[orderId]) void look(orderId);
  const isMine = data.user_id === session.userId;
  if (isMine && type.startsWith("advance.payment_requested")) tell(say("advance_asked"));
});
