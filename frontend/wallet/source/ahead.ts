// Ahead: an order that is opened, with its sheet, before the person has tapped, because the server
// foretells a payment. It is never paid by itself; unused it is given up when the page is left.
import { buy, giveUp } from "./till";
import { mark } from "./mark";
import type { OrderShown } from "./schema";
import { purse } from "./purse";

let wish = "";
let coming: Promise<OrderShown> | null = null;

/** Open an order ahead; one at a time. */
export function openAhead(fields: object): void {
  const text = JSON.stringify(fields);
  if (wish === text) return;
  void dropAhead();
  wish = text;
  coming = buy(fields).then((order) => {
    purse.aheadId = order.id;
    mark(`ahead:${order.id}`);
    return order;
  });
  // A failure ahead of time is nobody's business: the tap will ask again, and be told.
  coming.catch(() => undefined);
}

/** Take the order that was opened for this wish; null when there is none, or it came to nothing. */
export async function takeAhead(fields: object): Promise<OrderShown | null> {
  if (wish !== JSON.stringify(fields) || !coming) return null;
  const order = await coming.catch(() => null);
  wish = "";
  coming = null;
  purse.aheadId = "";
  return order;
}

/** Give up what was opened ahead and is not wanted. */
export async function dropAhead(): Promise<void> {
  const unused = coming;
  wish = "";
  coming = null;
  const order = await unused?.catch(() => null);
  purse.aheadId = "";
  if (order) await giveUp(order).catch(() => undefined); // it runs out by itself
}
