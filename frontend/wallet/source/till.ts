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
import type { OrderShown } from "./schema";
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

/** Whether nothing more happens to an order by itself. */
export const isOver = (order: OrderShown): boolean =>
  order.is_credited || order.pay_state === "closed" || order.refund_state === "full";

/** Whether the person can still pay it. */
export const isPayable = (order: OrderShown): boolean =>
  !order.is_credited && ["none", "paying"].includes(order.pay_state);

/** Read an order; what is read began after this was asked. */
export const look = inTurn(async (orderId): Promise<OrderShown> =>
  keep(await ask<OrderShown>("GET", `top-ups/${orderId}`)));

/** Open an order for what is bought; the same wish again is the same order until it is answered. */
export async function buy(wish: object): Promise<OrderShown> {
  const fields = { ...wish, ...way() };
  const asked = { fields, key: keyFor("top-up", fields) };
  const order = await askSealed<OrderShown>("top-ups", asked, itself);
  settle("top-up", fields);
  return keep(order);
}

/** Ask for the sheet again: the same attempt while it is good, so that only one can be paid. */
const sheetAgain = async (order: OrderShown): Promise<OrderShown> =>
  keep(await askSealed<OrderShown>(`top-ups/${order.id}/attempts`, { fields: way() }, itself));

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

/** Give an unpaid order up. */
export async function giveUp(order: OrderShown): Promise<void> {
  keep(await ask<OrderShown>("POST", `top-ups/${order.id}/cancellation`));
  await refresh();
}

listen(({ type, data }) => {
  const orderId = data.order_id;
  if (type.startsWith("topup.") && typeof orderId === "string" && till[orderId]) void look(orderId);
});
